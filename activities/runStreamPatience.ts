import { setTimeout as sleep } from 'node:timers/promises';
import { ClickHouseError } from '@clickhouse/client';
import { insertRetryMs } from '../core/batching.ts';
import { messageOf, TidegateError } from '../core/errors.ts';

/** Thrown when the stream is being stopped while something is tried again: what it was for stays uncommitted. */
export class LandingAbandoned extends Error {}

export interface Patience {
  /** What is done, for people: the insert. */
  what: string;
  /** Aborted when the stream is being stopped: then nothing is tried again. */
  stopping: AbortSignal;
  /** What is wrong while it is tried again, one sentence; null when it has been done. */
  onTrouble: (problem: string | null) => void;
}

/**
 * Does the work until it succeeds, with growing pauses, as long as it fails for a reason that may pass.
 * @throws what no other try would cure, or LandingAbandoned.
 */
export async function untilDone<T>({ what, stopping, onTrouble }: Patience, work: () => Promise<T>): Promise<T> {
  for (let failures = 1; ; failures++) {
    try {
      const result = await work();
      onTrouble(null);
      return result;
    } catch (error) {
      if (!mayPass(error)) throw error;
      onTrouble(`${what} has failed ${failures} time(s) and is tried again: ${messageOf(error)}`);
      const waited = await sleep(insertRetryMs(failures), true, { signal: stopping }).catch(() => false);
      if (!waited) throw new LandingAbandoned(`stopped while ${what} failed`, { cause: error });
    }
  }
}

/** What ClickHouse says may pass: whoever sends it something has sorted out what does not. */
function mayPass(error: unknown): boolean {
  return error instanceof ClickHouseError || (error instanceof TidegateError && error.retryable);
}
