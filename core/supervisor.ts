import type {
  DriftReport,
  LossReport,
  SchemaReport,
  SnapshotResult,
  StreamPreparation,
  SupervisorPhase,
  SupervisorStatus,
} from './activityTypes.ts';
import { backoffMs } from './backoff.ts';
import { TidegateError } from './errors.ts';
import type { Failure } from './failures.ts';
import { ResyncQueue } from './resyncQueue.ts';
import { PAUSED, STREAMING, SupervisorPhases, sentence } from './supervisorPhases.ts';
import {
  copyOf,
  initialState,
  iso,
  PREPARING,
  type StreamStep,
  type SupervisorState,
  streamStepOf,
  type WatchStep,
  watchStepOf,
} from './supervisorState.ts';

/**
 * The state machine of one pipeline's stream. It decides, the workflow does; time comes in as an argument, so that every
 * decision can be replayed and tested.
 *
 *     preparing --snapshot needed--> snapshotting --+
 *         |                                         v
 *         +------------- prepared -----------> streaming --pause--> paused --resume--> preparing
 *         ^   \--drifted--> evolving <--schema changed--+
 *         |                      |                  |
 *         +-------evolved--------+                  |
 *         +--timer-- backing off <--retryable-------+--not retryable--> failed --resume--> preparing
 *
 * Beside that the connector is watched from the moment a snapshot exists, also while the stream is paused or has failed,
 * because Debezium goes on draining the slot into Kafka. The watch has its own back-off; only a lost slot or a failure
 * that no retry can cure reaches the stream.
 */

/** What the long activities fail with when their worker stops: they are to be run elsewhere, and nothing is wrong. */
const WORKER_SHUTDOWN = 'WORKER_SHUTDOWN';

export class Supervisor {
  readonly #pipeline: string;
  readonly #state: SupervisorState;
  readonly #phases: SupervisorPhases;
  readonly resyncs: ResyncQueue;

  /** @param carried the state of the run before this one, as `state` gave it. */
  constructor(pipeline: string, { now, carried }: { now: number; carried?: SupervisorState | undefined }) {
    this.#pipeline = pipeline;
    this.#state = { ...initialState(now), ...(carried && copyOf(carried)) };
    this.#phases = new SupervisorPhases(this.#state);
    this.resyncs = new ResyncQueue(this.#state.resync);
  }

  get state(): SupervisorState {
    return copyOf(this.#state);
  }

  get phase(): SupervisorPhase {
    return this.#state.phase;
  }

  get status(): SupervisorStatus {
    const { paused, established, reload, skip, reports, watch, change, generation, resync, ...shown } = this.state;
    return { pipeline: this.#pipeline, ...shown, resyncs: resync.queue, resynced: resync.done };
  }

  /** Grows when stream and watch have to begin anew. */
  get generation(): number {
    return this.#state.generation;
  }

  get step(): StreamStep {
    return streamStepOf(this.#state);
  }

  get watchStep(): WatchStep {
    return watchStepOf(this.#state);
  }

  /** The table to load by itself now; null when there is none, or the stream has to come first. */
  get resyncStep(): string | null {
    return this.#state.established && ['streaming', 'paused'].includes(this.phase) ? this.resyncs.next : null;
  }

  /** False when a running resync has to make way: its tables are altered, or loaded with all others. */
  get mayResync(): boolean {
    return this.#state.established && !['evolving', 'snapshotting'].includes(this.phase);
  }

  /** True while the definition has changed and has not been read since. */
  get changing(): boolean {
    return this.#state.change !== null;
  }

  /** True when the definition is to be read beside the stream. Where the stream prepares next, it is read then. */
  get mustRead(): boolean {
    return this.#state.change === 'wanted' && ['streaming', 'paused'].includes(this.phase);
  }

  /** @throws TidegateError UNKNOWN_TABLE or NOT_STARTED when the table cannot be loaded by itself. */
  requireResyncable(table: string): void {
    const { streamed, schema, established } = this.#state;
    const refuse = (code: 'UNKNOWN_TABLE' | 'NOT_STARTED', what: string, remedy: string) => {
      throw new TidegateError(code, what, { remedy });
    };
    if (!established) {
      refuse('NOT_STARTED', `'${this.#pipeline}' has no finished snapshot yet`, 'It loads every table; wait for it.');
    }
    if (!streamed.includes(table)) {
      refuse('UNKNOWN_TABLE', `'${this.#pipeline}' streams no table '${table}'`, `It streams: ${streamed.join(', ')}.`);
    }
    const aside = schema.aside.find((each) => each.table === table);
    if (aside) refuse('UNKNOWN_TABLE', `${table} is left aside`, aside.reason);
  }

  /** The definition has changed, says an operator. */
  reconfigure(): void {
    this.#state.change = 'wanted';
  }

  /** A preparation begins, beside the stream or before it; it reads the definition as it is now. */
  reading(): void {
    if (this.#state.change === 'wanted') this.#state.change = 'reading';
  }

  /** What was read beside the stream. */
  changed(preparation: StreamPreparation, now: number): void {
    this.#adopt(preparation);
    if (!['streaming', 'paused'].includes(this.phase)) return;
    if (preparation.drifted.length > 0) {
      this.#phases.enter('evolving', now, `The targets are brought up to date: ${preparation.reason}.`);
    } else if (!preparation.snapshotNeeded) {
      this.resyncs.need(preparation.resync, iso(now));
    } else if (this.phase === 'streaming') {
      this.#phases.enter('preparing', now, PREPARING);
    }
  }

  changeFailed(failure: Failure, now: number): void {
    this.#state.change = null;
    this.#phases.recordError(failure, now);
  }

  #adopt({ definitionHash, schema, tables }: StreamPreparation): void {
    const before = this.#state.definitionHash;
    if (before !== null && before !== definitionHash) this.#state.generation++;
    Object.assign(this.#state, { definitionHash, schema, streamed: tables });
    if (this.#state.change === 'reading') this.#state.change = null;
    this.resyncs.keepOnly(tables);
  }

  prepared(preparation: StreamPreparation, now: number): void {
    if (this.phase !== 'preparing') return;
    this.#adopt(preparation);
    if (preparation.drifted.length > 0) {
      this.#phases.enter('evolving', now, `The targets are brought up to date: ${preparation.reason}.`);
      return;
    }
    // Without a stream table there is nothing to copy, and no connector to watch.
    const streams = preparation.tables.length > 0;
    const reload = streams && this.#state.reload === 'wanted';
    const needed = preparation.snapshotNeeded || reload;
    this.#state.established = streams && !needed;
    const why = reload ? 'changes were lost between Kafka and ClickHouse' : preparation.reason;
    if (needed) {
      this.#phases.enter('snapshotting', now, `A snapshot is taken: ${why}.`);
      return;
    }
    this.resyncs.need(preparation.resync, iso(now));
    this.#phases.enterStreaming(now);
  }

  snapshotFinished(snapshot: SnapshotResult, now: number): void {
    if (this.phase !== 'snapshotting') return;
    this.#state.snapshot = snapshot;
    this.#state.established = true;
    this.resyncs.clear();
    this.#phases.enterStreaming(now);
  }

  /** Targets, landing tables and views are as the source is now. What they still lack, preparing finds. */
  evolved(schema: SchemaReport, now: number): void {
    if (this.phase !== 'evolving') return;
    Object.assign(this.#state, { schema, reports: [] });
    if (this.#state.paused) this.#phases.enterPaused(now);
    else this.#phases.enter('preparing', now, PREPARING);
  }

  /** The stream activity has landed and committed all it held, because of a pause or because its worker stops. */
  streamEnded(now: number): void {
    if (this.phase !== 'streaming') return;
    if (this.#state.paused) this.#phases.enterPaused(now);
    // Another worker takes over; that is no failure, so the delays do not grow.
    else this.#phases.waitFor(now, { delay: backoffMs(1), why: 'The worker that ran the stream was stopped' });
  }

  /** The stream failed; it may have been asked to end meanwhile, because the watch has seen the same change. */
  streamFailed(failure: Failure, now: number): void {
    if (failure.code !== 'SCHEMA_DRIFT' || !['streaming', 'evolving'].includes(this.phase)) {
      this.failed(failure, now);
      return;
    }
    this.#state.reports = [failure.details as DriftReport | undefined].filter((report) => report !== undefined);
    this.#phases.enter('evolving', now, failure.message);
  }

  /** Preparing, the snapshot, the change of the schema or the stream failed. */
  failed(failure: Failure, now: number): void {
    if (failure.code === WORKER_SHUTDOWN && this.phase === 'streaming') {
      this.streamEnded(now);
      return;
    }
    this.#phases.recordError(failure, now);
    if (failure.code === 'SLOT_LOST') this.#state.established = false;
    if (failure.code === 'OFFSET_LOST') this.#state[isEventLoss(failure) ? 'skip' : 'reload'] = 'offered';
    if (!['preparing', 'snapshotting', 'evolving', 'streaming'].includes(this.phase)) return;
    if (this.#state.paused) this.#phases.enterPaused(now);
    else if (failure.code === 'SLOT_LOST') this.#phases.startOver(failure, now);
    else if (failure.retryable) this.#phases.backOff(now, failure.message);
    else this.#phases.enter('failed', now, failure.message);
  }

  watchStarted(now: number): void {
    this.#state.watch.startedAt = iso(now);
  }

  /** The watch ended by itself, because its worker stops. */
  watchEnded(now: number): void {
    this.#state.watch.retryAt = iso(now + backoffMs(1));
  }

  watchFailed(failure: Failure, now: number): void {
    if (failure.code === WORKER_SHUTDOWN) {
      this.watchEnded(now);
      return;
    }
    if (failure.code === 'SCHEMA_DRIFT') {
      // A stream that is paused or has failed is followed as well: the schema may have been what it failed at.
      this.#phases.delayWatch(now);
      if (['streaming', 'paused', 'failed'].includes(this.phase)) this.#phases.enter('evolving', now, failure.message);
      return;
    }
    this.#phases.recordError(failure, now);
    const concernsStream = ['preparing', 'streaming', 'backing off'].includes(this.phase);
    if (failure.code === 'SLOT_LOST') {
      this.#state.established = false;
      if (this.phase === 'paused') this.#state.reason = `${PAUSED} ${sentence(failure.message)}`;
      else if (this.phase === 'streaming' && !this.#state.paused) this.#phases.startOver(failure, now);
    } else if (failure.retryable) {
      this.#phases.delayWatch(now);
    } else {
      this.#state.watch.stopped = true;
      if (concernsStream && !this.#state.paused) this.#phases.enter('failed', now, failure.message);
    }
  }

  pause(now: number): void {
    if (this.#state.paused) return;
    this.#state.paused = true;
    if (this.phase === 'backing off' || this.phase === 'failed') this.#phases.enterPaused(now);
    else if (this.phase === 'streaming') this.#state.reason = 'Pausing: what has been read is still being landed.';
    else this.#state.reason = `${this.#state.reason} It pauses after that.`;
  }

  /** Ends a pause, a failure or a back-off: the next attempt is made at once. */
  resume(now: number): void {
    this.resyncs.retry(iso(now));
    const waiting = ['paused', 'failed', 'backing off'].includes(this.phase);
    if (!this.#state.paused && !waiting) return;
    this.#state.paused = false;
    if (!waiting) {
      this.#state.reason =
        this.phase === 'streaming' ? STREAMING : this.#state.reason.replace(' It pauses after that.', '');
      return;
    }
    this.#state.attempts = 0;
    if (this.#state.reload === 'offered') this.#state.reload = 'wanted';
    if (this.#state.skip === 'offered') this.#state.skip = 'wanted';
    this.#phases.enter('preparing', now, PREPARING);
  }

  /** Lets the times that have come pass. */
  timer(now: number): void {
    const { retryAt, watch } = this.#state;
    if (this.phase === 'backing off' && retryAt !== null && Date.parse(retryAt) <= now) {
      this.#phases.enter('preparing', now, PREPARING);
    }
    if (watch.retryAt !== null && Date.parse(watch.retryAt) <= now) watch.retryAt = null;
  }
}

function isEventLoss({ details }: Failure): boolean {
  return (details as Partial<LossReport> | undefined)?.kind === 'events';
}
