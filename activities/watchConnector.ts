import { setTimeout as sleep } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import { Connect } from '../adapters/connect.ts';
import type { ConnectorHealth, StreamActivities } from '../core/activityTypes.ts';
import { sourceConnectorConfig } from './connectorSource.ts';
import type { ActivityDeps } from './deps.ts';
import { refuseToEndUnasked } from './runStreamEnding.ts';
import { ConnectorKeeper } from './watchConnectorKeeper.ts';
import { SchemaWatch } from './watchConnectorSchema.ts';
import { SlotWatch } from './watchConnectorSlot.ts';

const POLL_MS = 1000;

/** The watch over one pipeline's connector, its replication slot and the schema of its source. */
export function watchConnector(deps: ActivityDeps): Pick<StreamActivities, 'watchConnector'> {
  return {
    async watchConnector(name) {
      const context = Context.current();
      const { pipeline } = deps.definitions.get(name);
      const slot = new SlotWatch(deps.environment.url(pipeline.source.captureUrl), pipeline.stream.slot);
      const keeper = new ConnectorKeeper({
        connect: Connect.from(deps.environment),
        connector: pipeline.stream.connector,
        config: await sourceConnectorConfig(deps.environment, pipeline),
      });
      const schema = new SchemaWatch(deps, pipeline);
      let health: ConnectorHealth | null = null;
      const beating = setInterval(() => context.heartbeat(health ?? undefined), POLL_MS);
      try {
        for (;;) {
          health = await check(keeper, slot);
          context.heartbeat(health);
          if (context.cancellationSignal.aborted) break;
          if (health.slot) await schema.look();
          await sleep(POLL_MS, undefined, { signal: context.cancellationSignal }).catch(() => undefined);
        }
      } finally {
        clearInterval(beating);
        await slot.close();
        await schema.close();
      }
      refuseToEndUnasked(context.cancellationSignal);
      return health;
    },
  };
}

/** The slot is looked at first: while the source does not answer, restarting tasks would only use up the attempts. */
async function check(keeper: ConnectorKeeper, slotWatch: SlotWatch): Promise<ConnectorHealth> {
  const slot = await slotWatch.read();
  const connector = await keeper.tend(slot);
  const problem = [slotWatch.problem, connector.problem].filter(Boolean).join(' ') || null;
  return { ...connector, problem, slot, checkedAt: new Date().toISOString() };
}
