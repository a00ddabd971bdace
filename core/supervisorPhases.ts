import type { SupervisorPhase } from './activityTypes.ts';
import { backoffMs } from './backoff.ts';
import type { Failure } from './failures.ts';
import { iso, type SupervisorState } from './supervisorState.ts';

/** After so much time without a failure, the next one is the first again. */
const QUIET_MS = 60_000;

export const STREAMING = 'Changes flow from Kafka into ClickHouse.';
export const PAUSED = 'Paused by an operator; changes are kept in Kafka.';

/** How a supervisor's state goes from one phase to the next, and how long it waits after a failure. */
export class SupervisorPhases {
  readonly #state: SupervisorState;

  /** @param state is changed in place. */
  constructor(state: SupervisorState) {
    this.#state = state;
  }

  enter(phase: SupervisorPhase, now: number, reason: string): void {
    Object.assign(this.#state, { phase, since: iso(now), reason: sentence(reason), retryAt: null });
    if (phase === 'preparing') Object.assign(this.#state.watch, { failures: 0, retryAt: null, stopped: false });
  }

  enterStreaming(now: number): void {
    Object.assign(this.#state, { reports: [], reload: null, skip: null });
    if (this.#state.paused) this.enterPaused(now);
    else this.enter('streaming', now, STREAMING);
  }

  enterPaused(now: number): void {
    this.enter('paused', now, PAUSED);
  }

  backOff(now: number, why: string): void {
    this.#countAttempt(now);
    this.waitFor(now, { delay: backoffMs(this.#state.attempts), why });
  }

  waitFor(now: number, { delay, why }: { delay: number; why: string }): void {
    this.enter('backing off', now, `${sentence(why)} The next attempt is made in ${delay / 1000} s.`);
    this.#state.retryAt = iso(now + delay);
  }

  /** The first loss is answered at once; one that comes back is not chased in a tight loop. */
  startOver(failure: Failure, now: number): void {
    const quiet = this.#state.attempts === 0 || this.#hasBeenQuiet(now);
    if (!quiet) {
      this.backOff(now, failure.message);
      return;
    }
    this.#countAttempt(now);
    this.enter('preparing', now, failure.message);
  }

  #countAttempt(now: number): void {
    this.#state.attempts = this.#hasBeenQuiet(now) ? 1 : this.#state.attempts + 1;
  }

  #hasBeenQuiet(now: number): boolean {
    return this.#state.phase === 'streaming' && now - Date.parse(this.#state.since) >= QUIET_MS;
  }

  /** The watch begins again after a while, which grows with each failure. */
  delayWatch(now: number): void {
    const { watch } = this.#state;
    const quiet = watch.startedAt !== null && now - Date.parse(watch.startedAt) >= QUIET_MS;
    watch.failures = quiet ? 1 : watch.failures + 1;
    watch.retryAt = iso(now + backoffMs(watch.failures));
  }

  recordError({ code, message }: Failure, now: number): void {
    this.#state.lastError = { code, message, at: iso(now) };
  }
}

export function sentence(text: string): string {
  return text.endsWith('.') ? text : `${text}.`;
}
