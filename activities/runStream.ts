import { Context } from '@temporalio/activity';
import type { StreamActivities } from '../core/activityTypes.ts';
import type { ActivityDeps } from './deps.ts';
import { refuseToEndUnasked } from './runStreamEnding.ts';
import { type StreamSeams, StreamSession } from './runStreamSession.ts';

const HEARTBEAT_INTERVAL_MS = 1000;

/** The stream of one pipeline: from its topics into its landing tables, without parsing a row. */
export function runStream(deps: ActivityDeps, seams: StreamSeams = {}): Pick<StreamActivities, 'runStream'> {
  return {
    async runStream(name, aside = []) {
      const context = Context.current();
      const { pipeline } = deps.definitions.get(name);
      const session = new StreamSession(deps, { pipeline, aside: new Set(aside) }, seams);
      const beat = () => context.heartbeat(session.progress.snapshot());
      const beating = setInterval(beat, HEARTBEAT_INTERVAL_MS);
      beat();
      try {
        await session.run(context.cancellationSignal);
      } finally {
        clearInterval(beating);
      }
      refuseToEndUnasked(context.cancellationSignal);
      return session.progress.snapshot();
    },
  };
}
