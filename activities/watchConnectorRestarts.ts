const WINDOW_MS = 5 * 60_000;
const MOST_RESTARTS = 5;
const FIRST_WAIT_MS = 2000;

/**
 * When a failed task is restarted: at once, then 2, 4, 8 and 16 seconds after the restart before. A task that fails again
 * after five restarts within five minutes is given up.
 */
export class RestartPolicy {
  #restarts: number[] = [];
  #count = 0;

  /** All restarts so far. */
  get count(): number {
    return this.#count;
  }

  /** @param now epoch milliseconds. `restart` is counted as done. */
  decide(now: number): 'restart' | 'wait' | 'give up' {
    this.#restarts = this.#restarts.filter((at) => at > now - WINDOW_MS);
    const last = this.#restarts.at(-1);
    if (last !== undefined && now - last < FIRST_WAIT_MS * 2 ** (this.#restarts.length - 1)) return 'wait';
    if (this.#restarts.length >= MOST_RESTARTS) return 'give up';
    this.#restarts.push(now);
    this.#count++;
    return 'restart';
  }
}
