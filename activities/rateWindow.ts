const WINDOW_MS = 10_000;

/** Counts things a second over the last ten seconds, or since it was made. */
export class RateWindow {
  readonly #startedAt = Date.now();
  /** What came within the window, oldest first. */
  readonly #recent: { at: number; count: number }[] = [];

  add(count: number): void {
    const now = Date.now();
    this.#recent.push({ at: now, count });
    this.#forgetOld(now);
  }

  get rate(): number {
    const now = Date.now();
    this.#forgetOld(now);
    const seconds = Math.min(WINDOW_MS, Math.max(1000, now - this.#startedAt)) / 1000;
    return Math.round(this.#recent.reduce((sum, { count }) => sum + count, 0) / seconds);
  }

  #forgetOld(now: number): void {
    const kept = this.#recent.findIndex(({ at }) => at > now - WINDOW_MS);
    if (kept !== 0) this.#recent.splice(0, kept < 0 ? this.#recent.length : kept);
  }
}
