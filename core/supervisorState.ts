import type { DriftReport, SupervisorStatus } from './activityTypes.ts';
import { NO_RESYNCS, type ResyncState } from './resyncQueue.ts';

/** What the workflow has to do now for the stream. `wait` ends at `until` (epoch milliseconds) or with an input. */
export type StreamStep =
  | { do: 'prepare'; skipLost: boolean }
  | { do: 'snapshot' }
  | { do: 'evolve' }
  | { do: 'stream' }
  | { do: 'wait'; until: number | null };
/** What the workflow has to do now about the connector. */
export type WatchStep = { do: 'watch' } | { do: 'nothing' } | { do: 'wait'; until: number };

/** Everything there is to remember, as JSON: it is carried over when the workflow continues as new. */
export interface SupervisorState extends Omit<SupervisorStatus, 'pipeline' | 'resyncs' | 'resynced'> {
  /** An operator wants the stream to stand still; the phase follows as soon as it does. */
  paused: boolean;
  /** There is a slot with a finished snapshot, so the connector may run. */
  established: boolean;
  /** Changes were lost on their way: a new snapshot is `offered`, and `wanted` once an operator resumes the stream. */
  reload: 'offered' | 'wanted' | null;
  /** Events were lost on their way: to go on behind them is `offered`, and `wanted` once an operator resumes the stream. */
  skip: 'offered' | 'wanted' | null;
  /** Messages at which the stream stopped because they do not fit; kept until that has been dealt with. */
  reports: DriftReport[];
  resync: ResyncState;
  /** The definition has changed, and has not been read since; or is being read. */
  change: 'wanted' | 'reading' | null;
  /** Grows when stream and watch have to begin anew, since the definition is another. */
  generation: number;
  watch: { failures: number; startedAt: string | null; retryAt: string | null; stopped: boolean };
}

export function streamStepOf({ phase, paused, retryAt, skip }: SupervisorState): StreamStep {
  if (phase === 'preparing') return { do: 'prepare', skipLost: skip === 'wanted' };
  if (phase === 'snapshotting') return { do: 'snapshot' };
  if (phase === 'evolving') return { do: 'evolve' };
  if (phase === 'streaming' && !paused) return { do: 'stream' };
  return { do: 'wait', until: retryAt === null ? null : Date.parse(retryAt) };
}

export function watchStepOf({ established, watch }: SupervisorState): WatchStep {
  if (!established || watch.stopped) return { do: 'nothing' };
  return watch.retryAt === null ? { do: 'watch' } : { do: 'wait', until: Date.parse(watch.retryAt) };
}

/** Why a stream is preparing. */
export const PREPARING = 'The source is checked, and what is missing is created.';

/** What the first run of a supervisor begins with. */
export function initialState(now: number): SupervisorState {
  return {
    ...{ phase: 'preparing', since: iso(now), reason: PREPARING, lastError: null, retryAt: null, attempts: 0 },
    ...{ definitionHash: null, snapshot: null, schema: { changes: [], aside: [] } },
    ...{ streamed: [], resync: copyOf(NO_RESYNCS), change: null, generation: 0 },
    ...{ paused: false, established: false, reload: null, skip: null, reports: [] },
    watch: { failures: 0, startedAt: null, retryAt: null, stopped: false },
  };
}

/** Epoch milliseconds as ISO 8601. */
export function iso(ms: number): string {
  return new Date(ms).toISOString();
}

/** The state is JSON, and workflow code has no structuredClone. */
export function copyOf<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}
