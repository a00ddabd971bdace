import { Context } from '@temporalio/activity';
import type { StreamActivities } from '../core/activityTypes.ts';
import type { ActivityDeps } from './deps.ts';
import { ingestOf, stopEngine } from './kafkaEngine.ts';
import { refuseToEndUnasked } from './runStreamEnding.ts';
import { EngineSession } from './runStreamEngine.ts';
import { LandingAbandoned, untilDone } from './runStreamPatience.ts';
import { type StreamSeams, StreamSession } from './runStreamSession.ts';

const HEARTBEAT_INTERVAL_MS = 1000;

/** The stream of one pipeline: from its topics into its landing tables, without parsing a row. */
export function runStream(deps: ActivityDeps, seams: StreamSeams = {}): Pick<StreamActivities, 'runStream'> {
  return {
    async runStream(name, aside = []) {
      const context = Context.current();
      const { pipeline } = deps.definitions.get(name);
      const Session = ingestOf(deps.environment, pipeline) === 'kafka-engine' ? EngineSession : StreamSession;
      const session = new Session(deps, { pipeline, aside: new Set(aside) }, seams);
      const beat = () => context.heartbeat(session.progress.snapshot());
      const beating = setInterval(beat, HEARTBEAT_INTERVAL_MS);
      beat();
      try {
        // A worker that died may have left ClickHouse reading.
        const what = 'taking over from its Kafka engine';
        const onTrouble = (problem: string | null) => session.progress.trouble('ClickHouse', problem);
        await untilDone({ what, stopping: context.cancellationSignal, onTrouble }, () => stopEngine(deps, pipeline));
        await session.run(context.cancellationSignal);
      } catch (error) {
        if (!(error instanceof LandingAbandoned)) throw error;
      } finally {
        clearInterval(beating);
      }
      refuseToEndUnasked(context.cancellationSignal);
      return session.progress.snapshot();
    },
  };
}
