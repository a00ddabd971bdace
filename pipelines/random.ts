/** A seeded source of numbers, fast enough for millions of rows (mulberry32). Not for secrets. */
export class Random {
  #state: number;

  /** @param seed an unsigned 32-bit integer. */
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A number from 0 up to, but not including, 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  /** An integer from `from` to `to`, both included. */
  between(from: number, to: number): number {
    return from + Math.floor(this.next() * (to - from + 1));
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** One of the items, of which there must be one. */
  pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.next() * items.length)] as T;
  }

  /** Up to `count` different items, fewer when there are fewer, in no particular order. */
  some<T>(items: readonly T[], count: number): T[] {
    const picked = new Set<T>();
    for (let tries = 0; picked.size < count && tries < count * 4; tries++) picked.add(this.pick(items));
    return [...picked];
  }
}
