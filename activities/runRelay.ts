import { Context } from '@temporalio/activity';
import type { RelayProgress, StreamActivities } from '../core/activityTypes.ts';
import type { ActivityDeps } from './deps.ts';
import { OutboxRelay, type RelaySeams } from './outboxRelay.ts';
import { refuseToEndUnasked } from './runStreamEnding.ts';

const HEARTBEAT_INTERVAL_MS = 1000;

/** The relay of all outboxes of one pipeline, side by side. */
export function runRelay(deps: ActivityDeps, seams: RelaySeams = {}): Pick<StreamActivities, 'runRelay'> {
  return {
    async runRelay(name) {
      const context = Context.current();
      const { pipeline } = deps.definitions.get(name);
      const relays = pipeline.outboxes.map(
        (outbox) => new OutboxRelay(deps.environment, { pipeline: name, outbox, seams }),
      );
      const startedAt = new Date().toISOString();
      const progress = (): RelayProgress => ({
        outboxes: Object.fromEntries(relays.map((relay) => [relay.label, relay.progress])),
        startedAt,
      });
      const beat = () => context.heartbeat(progress());
      const beating = setInterval(beat, HEARTBEAT_INTERVAL_MS);
      beat();
      // One that cannot go on ends the others, which then stand on a whole batch.
      const ending = new AbortController();
      const stopping = AbortSignal.any([context.cancellationSignal, ending.signal]);
      const running = relays.map((relay) => relay.run(stopping));
      try {
        await Promise.all(running);
      } finally {
        ending.abort();
        await Promise.allSettled(running);
        clearInterval(beating);
      }
      refuseToEndUnasked(context.cancellationSignal);
      return progress();
    },
  };
}
