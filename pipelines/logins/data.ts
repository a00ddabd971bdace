import { en, Faker } from '@faker-js/faker';
import type { CsvTable } from '../csv.ts';
import { Random } from '../random.ts';

/** Rows of user_logins. */
export const DEFAULT_ROWS = 50_000;

const EVENTS_A_USER = 40;
/** Four weeks of events, up to a fixed moment, so that a seed gives the same bytes. */
const NEWEST_MS = Date.UTC(2026, 0, 1);
const SPAN_MS = 28 * 86_400_000;

/** What a person does next, by whether they are logged in, with how likely each is. */
const NEXT = {
  in: [
    ['logout', 0.9],
    ['password_change', 0.1],
  ],
  out: [
    ['login', 0.92],
    ['login_failed', 0.08],
  ],
} as const satisfies Record<string, readonly (readonly [string, number])[]>;

/** People, some of whom come often, and what each of them does, in an order that makes sense. */
export class Visitors {
  readonly #random: Random;
  readonly #names: readonly string[];
  readonly #inside = new Set<string>();

  constructor(names: readonly string[], seed: number) {
    this.#names = names;
    this.#random = new Random(seed);
  }

  next(): { username: string; event: string } {
    const username = this.#names[Math.floor(this.#random.next() ** 2 * this.#names.length)]!;
    const [usual, other] = NEXT[this.#inside.has(username) ? 'in' : 'out'];
    const [event] = this.#random.chance(usual[1]) ? usual : other;
    if (event === 'login') this.#inside.add(username);
    if (event === 'logout') this.#inside.delete(username);
    return { username, event };
  }
}

/** The users' names, each once. */
function usernames(count: number, seed: number): string[] {
  const faker = new Faker({ locale: en, seed });
  return Array.from({ length: count }, (_, index) => `${faker.person.firstName().toLowerCase()}.${index + 1}`);
}

/** The outbox of the source, in the order of time; the ids are the server's. */
export function loginsTable({ rows, seed }: { rows: number; seed: number }): CsvTable {
  return {
    name: 'user_logins',
    columns: ['username', 'event_type', 'event_time'],
    rows: (function* () {
      const visitors = new Visitors(usernames(Math.max(5, Math.ceil(rows / EVENTS_A_USER)), seed), seed);
      for (let row = 0; row < rows; row++) {
        const { username, event } = visitors.next();
        const at = NEWEST_MS - SPAN_MS + Math.floor((row / rows) * SPAN_MS);
        yield [username, event, new Date(at).toISOString()];
      }
    })(),
  };
}
