import { TidegateError } from '../core/errors.ts';

/** A service that does not answer for a moment is waited for; for longer, that is the activity's failure. */
const PATIENCE_MS = 60_000;

/** Bears with one service's silence for a minute. */
export class Patience {
  #silentSince: number | null = null;
  #problem: string | null = null;

  /** What is wrong, one sentence; null when the service answers. */
  get problem(): string | null {
    return this.#problem;
  }

  answered(): void {
    this.#silentSince = null;
    this.#problem = null;
  }

  /** @throws the error itself unless it is SERVICE_UNREACHABLE and the service has been silent for less than a minute. */
  failed(error: unknown): void {
    if (!(error instanceof TidegateError) || error.code !== 'SERVICE_UNREACHABLE') throw error;
    this.#silentSince ??= Date.now();
    if (Date.now() - this.#silentSince > PATIENCE_MS) throw error;
    this.#problem = `${error.message.replace(/\.$/, '')}, since ${new Date(this.#silentSince).toISOString()}.`;
  }
}
