import { en, Faker } from '@faker-js/faker';
import type { CsvTable } from '../csv.ts';
import { Random } from '../random.ts';
import { EVENTS_A_DAY, HISTORY_DAYS } from './telemetry.ts';

/** Telemetry events in the first load: about 350 prostheses, two weeks back. */
export const DEFAULT_ROWS = 180_000;

export const MODELS: readonly string[] = [
  'Nova Hand S1',
  'Nova Hand S2',
  'Nova Hand S2 Kids',
  'Grip Pro 4',
  'Grip Pro 5',
  'Aria Wrist',
  'Aria Elbow',
  'Atlas Arm X',
];

/** Prostheses were made in the four years before this day: a fixed one, so that a seed gives the same bytes. */
const NEWEST_MADE_MS = Date.UTC(2026, 0, 1);
const MADE_SPAN_DAYS = 4 * 365;
const DAY_MS = 86_400_000;

/** How many prostheses send so many events in the days of the first load; at least two, one for each demonstration user. */
export function prosthesesFor(rows: number): number {
  return Math.max(2, Math.ceil(rows / (HISTORY_DAYS * EVENTS_A_DAY)));
}

/**
 * The tables of the source in the order in which they are loaded.
 * @param options.rows telemetry events of the first load, about; prostheses and users follow from it.
 */
export function crmTables({ rows, seed }: { rows: number; seed: number }): CsvTable[] {
  const prostheses = prosthesesFor(rows);
  // One person in ten has two, and some have none yet.
  const users = Math.max(2, Math.ceil(prostheses * 0.9));
  return [
    { name: 'users', columns: ['user_id', 'user_email', 'user_name'], rows: userRows({ count: users, seed }) },
    {
      name: 'prostheses',
      columns: ['prosthesis_id', 'user_id', 'prosthesis_model', 'manufacture_date'],
      rows: prosthesisRows({ count: prostheses, users, seed }),
    },
  ];
}

function* userRows({ count, seed }: { count: number; seed: number }): Generator<[number, string, string]> {
  const faker = new Faker({ locale: en, seed });
  for (let id = 1; id <= count; id++) {
    const name = { firstName: faker.person.firstName(), lastName: faker.person.lastName() };
    // The number keeps addresses apart, however many people share a name.
    const mailbox = `${name.firstName}.${name.lastName}${id}`.toLowerCase().replaceAll(/[^a-z0-9.]/g, '');
    yield [id, `${mailbox}@example.org`, `${name.firstName} ${name.lastName}`];
  }
}

function* prosthesisRows(options: { count: number; users: number; seed: number }) {
  const { count, users, seed } = options;
  const random = new Random(~seed);
  for (let id = 1; id <= count; id++) {
    const made = new Date(NEWEST_MADE_MS - random.between(1, MADE_SPAN_DAYS) * DAY_MS).toISOString().slice(0, 10);
    // The first users, who demonstrate the reports, have one each; a few prostheses lie in the workshop.
    const spare = random.chance(0.02);
    const wearer = id <= 2 ? id : spare ? null : random.between(1, users);
    yield [id, wearer, random.pick(MODELS), made];
  }
}
