import {
  CancellationScope,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  executeChild,
  isCancellation,
  ParentClosePolicy,
  setCurrentDetails,
  setHandler,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import type { SupervisorStatus } from '../core/activityTypes.ts';
import { failureOf } from '../core/failures.ts';
import { TASK_QUEUES, workflowIds } from '../core/names.ts';
import { searchAttributes } from '../core/searchAttributes.ts';
import { Supervisor } from '../core/supervisor.ts';
import type { SupervisorState } from '../core/supervisorState.ts';
import { evolveTables, prepareStream, runStream, watchConnector } from './activities.ts';
import type { snapshotTables } from './snapshotTables.ts';
import { streamDetails } from './streamDetails.ts';

export const pauseSignal = defineSignal('pause');
export const resumeSignal = defineSignal('resume');
export const statusQuery = defineQuery<SupervisorStatus>('status');

/**
 * Keeps the stream of one pipeline going, for ever. Everything it decides is in core/supervisor.ts; here its decisions
 * are carried out in two lanes side by side: the stream itself, and the watch over the connector.
 * @param carried given only by the run before this one, when the history has grown long.
 */
export async function superviseStream(pipeline: string, carried?: SupervisorState): Promise<void> {
  const supervisor = new Supervisor(pipeline, { now: Date.now(), carried });
  let running = 0;
  let watching = false;
  let renewing = false;
  let shownPhase = '';

  const show = () => {
    const { status } = supervisor;
    setCurrentDetails(streamDetails(status));
    if (status.phase === shownPhase) return;
    upsertSearchAttributes(searchAttributes({ pipeline, stage: status.phase }));
    shownPhase = status.phase;
  };
  const take = (input: () => void) => {
    input();
    show();
  };
  setHandler(pauseSignal, () => take(() => supervisor.pause(Date.now())));
  setHandler(resumeSignal, () => take(() => supervisor.resume(Date.now())));
  setHandler(statusQuery, () => supervisor.status);
  show();

  /** Runs work until it ends or is no longer wanted; then cancels it and waits for its end. Never throws. */
  const runWhile = async <T>(wanted: () => boolean, work: () => Promise<T>): Promise<Outcome<T>> => {
    const scope = new CancellationScope();
    let result: { value: T } | { error: unknown } | undefined;
    running++;
    const ended = (how: NonNullable<typeof result>) => {
      result = how;
      running--;
    };
    void scope.run(work).then(
      (value) => ended({ value }),
      (error) => ended({ error }),
    );
    await condition(() => result !== undefined || !wanted());
    const asked = result === undefined;
    if (asked) scope.cancel();
    await condition(() => result !== undefined);
    return { ...result!, asked };
  };

  const attempt = async <T>(work: () => Promise<T>, done: (value: T) => void): Promise<void> => {
    const outcome = await runWhile(() => true, work);
    take(() => ('value' in outcome ? done(outcome.value) : supervisor.failed(failureOf(outcome.error), Date.now())));
  };

  const stream = async (): Promise<void> => {
    const wanted = () => supervisor.step.do === 'stream';
    const aside = supervisor.status.schema.aside.map(({ table }) => table);
    const outcome = await runWhile(
      () => wanted() && !mayRenew(),
      () => runStream(pipeline, aside),
    );
    take(() => {
      if ('error' in outcome && !(outcome.asked && isCancellation(outcome.error))) {
        supervisor.streamFailed(failureOf(outcome.error), Date.now());
      } else if (!outcome.asked || !wanted()) {
        supervisor.streamEnded(Date.now());
      }
    });
  };

  const snapshot = async (): Promise<void> => {
    // The connector is stopped and its offsets deleted by a snapshot; a watch that still runs would start it again.
    await condition(() => !watching);
    await attempt(
      () =>
        executeChild<typeof snapshotTables>('snapshotTables', {
          args: [pipeline],
          workflowId: workflowIds.snapshot(pipeline),
          taskQueue: TASK_QUEUES.batch,
          parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
          staticSummary: `Snapshot of ${pipeline}`,
        }),
      (result) => supervisor.snapshotFinished(result, Date.now()),
    );
  };

  const streamLane = async (): Promise<void> => {
    while (!mayRenew()) {
      const step = supervisor.step;
      if (step.do === 'prepare') {
        await attempt(
          () => prepareStream(pipeline, step.skipLost),
          (preparation) => supervisor.prepared(preparation, Date.now()),
        );
      } else if (step.do === 'snapshot') {
        await snapshot();
      } else if (step.do === 'evolve') {
        await attempt(
          () => evolveTables(pipeline, supervisor.state.reports),
          (schema) => supervisor.evolved(schema, Date.now()),
        );
      } else if (step.do === 'stream') {
        await stream();
      } else {
        await waitFor(() => supervisor.step.do !== 'wait' || mayRenew(), step.until);
        take(() => supervisor.timer(Date.now()));
      }
    }
    renewing = true;
  };

  const watchLane = async (): Promise<void> => {
    while (!renewing) {
      const step = supervisor.watchStep;
      if (step.do === 'watch') await watch();
      else {
        await waitFor(() => supervisor.watchStep.do !== step.do || renewing, step.do === 'wait' ? step.until : null);
        supervisor.timer(Date.now());
      }
    }
  };

  const watch = async (): Promise<void> => {
    const wanted = () => supervisor.watchStep.do === 'watch' && !renewing;
    supervisor.watchStarted(Date.now());
    watching = true;
    const outcome = await runWhile(wanted, () => watchConnector(pipeline));
    watching = false;
    if (outcome.asked) return;
    take(() => {
      if ('error' in outcome) supervisor.watchFailed(failureOf(outcome.error), Date.now());
      else supervisor.watchEnded(Date.now());
    });
  };

  try {
    await Promise.all([streamLane(), watchLane()]);
  } finally {
    // Also when the workflow itself is cancelled, the last flush is awaited.
    await CancellationScope.nonCancellable(() => condition(() => running === 0));
  }
  await continueAsNew<typeof superviseStream>(pipeline, supervisor.state);
}

/** How work ended; `asked` when it was cancelled because it was no longer wanted. */
type Outcome<T> = ({ value: T } | { error: unknown }) & { asked: boolean };

/** The server asks for a new run once the history has grown long. */
function mayRenew(): boolean {
  return workflowInfo().continueAsNewSuggested;
}

/** Waits for a condition, or for a time in epoch milliseconds if one is given. */
async function waitFor(met: () => boolean, until: number | null): Promise<void> {
  if (until === null) await condition(met);
  else await condition(met, Math.max(1, until - Date.now()));
}
