import { setTimeout as sleep } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import { Connect } from '../adapters/connect.ts';
import type { ConnectorHealth, StreamActivities } from '../core/activityTypes.ts';
import { connectorConfig } from '../core/connectorConfig.ts';
import type { Pipeline } from '../core/definition.ts';
import type { ActivityDeps } from './deps.ts';
import { refuseToEndUnasked } from './runStream.ts';
import { writeConnectorSecret } from './secrets.ts';
import { ConnectorKeeper } from './watchConnectorKeeper.ts';
import { SlotWatch } from './watchConnectorSlot.ts';

const POLL_MS = 1000;

/** The watch over one pipeline's connector and replication slot. */
export function watchConnector(deps: ActivityDeps): Pick<StreamActivities, 'watchConnector'> {
  return {
    async watchConnector(name) {
      const context = Context.current();
      const { pipeline } = deps.definitions.get(name);
      const slot = new SlotWatch(deps.environment.url(pipeline.source.captureUrl), pipeline.stream.slot);
      const keeper = new ConnectorKeeper({
        connect: Connect.from(deps.environment),
        connector: pipeline.stream.connector,
        config: await desiredConfig(deps, pipeline),
      });
      let health: ConnectorHealth | null = null;
      const beating = setInterval(() => context.heartbeat(health ?? undefined), POLL_MS);
      try {
        for (;;) {
          health = await check(keeper, slot);
          context.heartbeat(health);
          if (context.cancellationSignal.aborted) break;
          await sleep(POLL_MS, undefined, { signal: context.cancellationSignal }).catch(() => undefined);
        }
      } finally {
        clearInterval(beating);
        await slot.close();
      }
      refuseToEndUnasked(context.cancellationSignal);
      return health;
    },
  };
}

/** The slot is looked at first: while the source does not answer, restarting tasks would only use up the attempts. */
async function check(keeper: ConnectorKeeper, slotWatch: SlotWatch): Promise<ConnectorHealth> {
  const slot = await slotWatch.read();
  const connector = await keeper.tend({ sourceAnswers: slot !== null });
  const problem = [slotWatch.problem, connector.problem].filter(Boolean).join(' ') || null;
  return { ...connector, problem, slot, checkedAt: new Date().toISOString() };
}

async function desiredConfig(deps: ActivityDeps, pipeline: Pipeline): Promise<Record<string, string>> {
  const url = deps.environment.url(pipeline.source.captureUrl);
  const password = decodeURIComponent(url.password);
  const sslMode = url.searchParams.get('sslmode');
  return connectorConfig(pipeline, {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: Number(url.port || 5432),
    database: decodeURIComponent(url.pathname.slice(1)),
    user: decodeURIComponent(url.username),
    passwordReference: await writeConnectorSecret(deps.environment, { pipeline: pipeline.name, password }),
    ...(sslMode && { sslMode }),
  });
}
