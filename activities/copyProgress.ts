import { Context } from '@temporalio/activity';

const HEARTBEAT_MS = 1000;

/** A running activity, as the work in it sees it. */
export interface Beat {
  /** Aborted when the activity is cancelled, or no longer wanted by the server. */
  signal: AbortSignal;
}

/**
 * Runs the work of an activity with a heartbeat every second, from its first moment on, also while it waits for others.
 * @param details what the heartbeat carries: names, counts and offsets.
 */
export async function withHeartbeat<T>(details: () => unknown, work: (beat: Beat) => Promise<T>): Promise<T> {
  const context = Context.current();
  const signal = context.cancellationSignal;
  const beat = () => context.heartbeat(details());
  beat();
  const timer = setInterval(beat, HEARTBEAT_MS);
  try {
    return await work({ signal });
  } catch (error) {
    // Whatever broke when the work was cut off, the reason is the cancellation.
    if (signal.aborted) throw signal.reason ?? error;
    throw error;
  } finally {
    clearInterval(timer);
    beat();
  }
}
