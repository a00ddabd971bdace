import {
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  executeChild,
  isCancellation,
  ParentClosePolicy,
  patched,
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
import { iso, type SupervisorState } from '../core/supervisorState.ts';
import { evolveTables, prepareStream, runStream, watchConnector } from './activities.ts';
import type { resyncTable } from './resyncTable.ts';
import type { snapshotTables } from './snapshotTables.ts';
import { streamDetails } from './streamDetails.ts';
import { handleStreamUpdates } from './streamUpdates.ts';

export const pauseSignal = defineSignal('pause');
export const resumeSignal = defineSignal('resume');
export const statusQuery = defineQuery<SupervisorStatus>('status');

/**
 * Keeps the stream of one pipeline going, for ever. Everything it decides is in core/supervisor.ts; here its decisions
 * are carried out in lanes side by side: the stream itself, the watch over the connector, resyncs of single tables, and
 * the reading of a definition that has changed.
 * @param carried given only by the run before this one, when the history has grown long.
 */
export async function superviseStream(pipeline: string, carried?: SupervisorState): Promise<void> {
  const supervisor = new Supervisor(pipeline, { now: Date.now(), carried });
  let running = 0;
  /** The generation whose watch runs. */
  let watching: number | null = null;
  let resyncing = false;
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
  handleStreamUpdates(supervisor, take);
  show();

  /** The server asks for a new run once the history has grown long. A resync is not begun anew for that. */
  const mayRenew = () => workflowInfo().continueAsNewSuggested && !resyncing && allHandlersFinished();

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

  /** Stands for the definition with which stream and watch began. */
  const lasting = () => {
    const { generation } = supervisor;
    return () => supervisor.generation === generation;
  };

  const attempt = async <T>(work: () => Promise<T>, done: (value: T) => void): Promise<void> => {
    const outcome = await runWhile(() => true, work);
    take(() => ('value' in outcome ? done(outcome.value) : supervisor.failed(failureOf(outcome.error), Date.now())));
  };

  const stream = async (): Promise<void> => {
    const wanted = () => supervisor.step.do === 'stream';
    const same = lasting();
    const aside = supervisor.status.schema.aside.map(({ table }) => table);
    const outcome = await runWhile(
      () => wanted() && same() && !mayRenew(),
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
    await condition(() => watching === null && !resyncing);
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
        supervisor.reading();
        await attempt(
          () => prepareStream(pipeline, step.skipLost),
          (preparation) => supervisor.prepared(preparation, Date.now()),
        );
      } else if (step.do === 'snapshot') {
        await snapshot();
      } else if (step.do === 'evolve') {
        await condition(() => !resyncing);
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
    const same = lasting();
    const wanted = () => supervisor.watchStep.do === 'watch' && same() && !renewing;
    supervisor.watchStarted(Date.now());
    watching = supervisor.generation;
    const outcome = await runWhile(wanted, () => watchConnector(pipeline));
    watching = null;
    if (outcome.asked) return;
    take(() => {
      if ('error' in outcome) supervisor.watchFailed(failureOf(outcome.error), Date.now());
      else supervisor.watchEnded(Date.now());
    });
  };

  const resyncLane = async (): Promise<void> => {
    while (!renewing) {
      await condition(() => supervisor.resyncStep !== null || renewing);
      // The watch of an earlier definition may still give the connector a configuration that leaves the table out.
      const watchIsOld = () => watching !== null && watching !== supervisor.generation;
      if (watchIsOld() && patched('resync-after-watch')) await condition(() => !watchIsOld() || renewing);
      const table = supervisor.resyncStep;
      if (table !== null && !renewing) await resync(table);
    }
  };

  const resync = async (table: string): Promise<void> => {
    take(() => supervisor.resyncs.started(table, iso(Date.now())));
    const wanted = () => supervisor.mayResync && supervisor.resyncs.running === table;
    resyncing = true;
    const outcome = await runWhile(wanted, () =>
      executeChild<typeof resyncTable>('resyncTable', {
        args: [pipeline, table],
        workflowId: workflowIds.resync(pipeline, table),
        taskQueue: TASK_QUEUES.batch,
        parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
        staticSummary: `Resync of ${pipeline}.${table}`,
      }),
    );
    resyncing = false;
    take(() => {
      const now = iso(Date.now());
      if ('value' in outcome) supervisor.resyncs.finished(outcome.value, now);
      else if (outcome.asked) supervisor.resyncs.interrupted(table, now);
      else supervisor.resyncs.failed(table, failureOf(outcome.error), now);
    });
  };

  const changeLane = async (): Promise<void> => {
    while (!renewing) {
      if (supervisor.mustRead) await readDefinition();
      else await condition(() => supervisor.mustRead || renewing);
    }
  };

  const readDefinition = async (): Promise<void> => {
    supervisor.reading();
    const outcome = await runWhile(
      () => true,
      () => prepareStream(pipeline),
    );
    take(() => {
      if ('value' in outcome) supervisor.changed(outcome.value, Date.now());
      else supervisor.changeFailed(failureOf(outcome.error), Date.now());
    });
  };

  try {
    await Promise.all([streamLane(), watchLane(), resyncLane(), changeLane()]);
  } finally {
    // Also when the workflow itself is cancelled, the last flush is awaited.
    await CancellationScope.nonCancellable(() => condition(() => running === 0));
  }
  await continueAsNew<typeof superviseStream>(pipeline, supervisor.state);
}

/** How work ended; `asked` when it was cancelled because it was no longer wanted. */
type Outcome<T> = ({ value: T } | { error: unknown }) & { asked: boolean };

/** Waits for a condition, or for a time in epoch milliseconds if one is given. */
async function waitFor(met: () => boolean, until: number | null): Promise<void> {
  if (until === null) await condition(met);
  else await condition(met, Math.max(1, until - Date.now()));
}
