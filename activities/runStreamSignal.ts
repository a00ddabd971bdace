/** Wakes whoever waits for something to change. A wake-up while nobody waits is not kept: check the condition first. */
export class Signal {
  #waiting: (() => void)[] = [];

  notify(): void {
    const woken = this.#waiting;
    this.#waiting = [];
    for (const wake of woken) wake();
  }

  /** Returns at the next notify, or after `ms` milliseconds; without `ms` only at a notify. */
  async wait(ms: number | null): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = ms === null ? null : setTimeout(wake, ms);
      const waiting = this.#waiting;
      function wake() {
        if (timer) clearTimeout(timer);
        const index = waiting.indexOf(wake);
        if (index >= 0) waiting.splice(index, 1);
        resolve();
      }
      waiting.push(wake);
    });
  }
}
