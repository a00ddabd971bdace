import type { RelayStatus } from './activityTypes.ts';
import { backoffMs } from './backoff.ts';
import type { Failure } from './failures.ts';
import { iso } from './supervisorState.ts';

/** What the workflow has to do now. `wait` ends at `until` (epoch milliseconds) or with an input. */
export type RelayStep = { do: 'relay' } | { do: 'wait'; until: number | null };

/** Everything there is to remember, as JSON: it is carried over when the workflow continues as new. */
export interface RelayState extends Omit<RelayStatus, 'pipeline'> {
  /** An operator wants the relay to stand still; the phase follows as soon as it does. */
  paused: boolean;
}

/** After so much time without a failure, the next one is the first again. */
const QUIET_MS = 60_000;

/**
 * The state machine of a pipeline's relay. It decides, the workflow does; time comes in as an argument.
 *
 *     relaying --pause--> paused --resume--> relaying
 *        |--retryable--> backing off --timer--> relaying
 *        +--not retryable--> failed --resume--> relaying
 */
export class RelaySupervisor {
  readonly #pipeline: string;
  readonly #state: RelayState;

  /** @param carried the state of the run before this one, as `state` gave it. */
  constructor(pipeline: string, { now, carried }: { now: number; carried?: RelayState | undefined }) {
    this.#pipeline = pipeline;
    const first = { phase: 'relaying', since: iso(now), reason: RELAYING, lastError: null, retryAt: null } as const;
    this.#state = { ...first, attempts: 0, paused: false, ...carried };
  }

  get state(): RelayState {
    return { ...this.#state };
  }

  get status(): RelayStatus {
    const { paused, ...shown } = this.#state;
    return { pipeline: this.#pipeline, ...shown };
  }

  get step(): RelayStep {
    const { phase, paused, retryAt } = this.#state;
    if (phase === 'relaying' && !paused) return { do: 'relay' };
    return { do: 'wait', until: retryAt === null ? null : Date.parse(retryAt) };
  }

  /** The activity has ended because it was asked to. */
  ended(now: number): void {
    if (this.#state.paused) this.#enter('paused', now, PAUSED);
  }

  failed(failure: Failure, now: number): void {
    const { since, attempts, phase } = this.#state;
    if (phase !== 'relaying') return;
    // Another worker takes over; nothing is wrong.
    if (failure.code !== 'WORKER_SHUTDOWN')
      this.#state.lastError = { code: failure.code, message: failure.message, at: iso(now) };
    if (this.#state.paused) this.#enter('paused', now, PAUSED);
    else if (!failure.retryable) this.#enter('failed', now, failure.message);
    else {
      const next = now - Date.parse(since) >= QUIET_MS ? 1 : attempts + 1;
      const delay = backoffMs(next);
      this.#enter('backing off', now, `${sentence(failure.message)} The next attempt is made in ${delay / 1000} s.`);
      Object.assign(this.#state, { attempts: next, retryAt: iso(now + delay) });
    }
  }

  pause(now: number): void {
    if (this.#state.paused) return;
    this.#state.paused = true;
    if (this.#state.phase === 'relaying') this.#state.reason = 'Pausing: what is being sent is still marked.';
    else this.#enter('paused', now, PAUSED);
  }

  /** Ends a pause, a failure or a back-off. */
  resume(now: number): void {
    this.#state.paused = false;
    if (this.#state.phase === 'relaying') this.#state.reason = RELAYING;
    else this.#enterRelaying(now, 0);
  }

  /** Lets the time that has come pass. */
  timer(now: number): void {
    const { phase, retryAt, attempts } = this.#state;
    if (phase === 'backing off' && retryAt !== null && Date.parse(retryAt) <= now) this.#enterRelaying(now, attempts);
  }

  #enterRelaying(now: number, attempts: number): void {
    this.#enter('relaying', now, RELAYING);
    this.#state.attempts = attempts;
  }

  #enter(phase: RelayState['phase'], now: number, reason: string): void {
    Object.assign(this.#state, { phase, since: iso(now), reason: sentence(reason), retryAt: null });
  }
}

const RELAYING = 'Rows are sent in order and marked.';
const PAUSED = 'Paused by an operator; rows wait in the outbox.';

function sentence(text: string): string {
  return text.endsWith('.') ? text : `${text}.`;
}
