import { setTimeout as sleep } from 'node:timers/promises';
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
 * Does the work until it succeeds, with growing pauses.
 * @throws TidegateError that no other try would cure, or LandingAbandoned.
 */
export async function untilDone<T>({ what, stopping, onTrouble }: Patience, work: () => Promise<T>): Promise<T> {
  for (let failures = 1; ; failures++) {
    try {
      const result = await work();
      onTrouble(null);
      return result;
    } catch (error) {
      if (error instanceof TidegateError && !error.retryable) throw error;
      onTrouble(`${what} has failed ${failures} time(s) and is tried again: ${messageOf(error)}`);
      const waited = await sleep(insertRetryMs(failures), true, { signal: stopping }).catch(() => false);
      if (!waited) throw new LandingAbandoned(`stopped while ${what} failed`, { cause: error });
    }
  }
}
