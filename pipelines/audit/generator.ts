import { randomInt } from 'node:crypto';
import { Faker, ru } from '@faker-js/faker';
import { createSource } from '../createSource.ts';
import type { CsvTable } from '../csv.ts';
import type { SourceGenerator } from '../generator.ts';
import { Random } from '../random.ts';
import { runTraffic, type TrafficWork } from '../traffic.ts';

const DEFAULT_ROWS = 1000;
const FIRST_CREATED_MS = Date.UTC(2025, 0, 1);
const MS_BETWEEN = 300_000;

/** The table as it begins. */
export function people({ rows, seed }: { rows: number; seed: number }): CsvTable {
  return {
    name: 'my_table',
    columns: ['id', 'name', 'created_at'],
    rows: (function* () {
      const faker = new Faker({ locale: ru, seed });
      for (let id = 1; id <= rows; id++) {
        yield [id, faker.person.fullName(), new Date(FIRST_CREATED_MS + id * MS_BETWEEN).toISOString()];
      }
    })(),
  };
}

/** Corrections of names: mostly of one person, now and then of several in one transaction. */
export function edits(seed: number): TrafficWork<{ last: number }> {
  const random = new Random(seed);
  const faker = new Faker({ locale: ru, seed });
  return {
    async begin(client) {
      const { rows } = await client.query<{ last: number }>('SELECT coalesce(max(id), 0) AS last FROM my_table');
      return { last: rows[0]!.last };
    },

    async transaction(client, { last }) {
      const from = random.between(1, Math.max(1, last));
      const to = random.chance(0.1) ? from + random.between(1, 4) : from;
      const { rowCount } = await client.query('UPDATE my_table SET name = $3 WHERE id BETWEEN $1 AND $2', [
        ...[from, to],
        faker.person.fullName(),
      ]);
      return { inserted: 0, updated: rowCount ?? 0, deleted: 0 };
    },
  };
}

/** `rows` is the number of rows of my_table. */
export const generator: SourceGenerator = {
  database: 'mydb',

  async create(options) {
    const { owner, capture, ...filled } = await createSource(options, {
      schema: new URL('source.sql', import.meta.url),
      tables: [people({ rows: options.rows ?? DEFAULT_ROWS, seed: options.seed })],
    });
    return { env: { AUDIT_DATABASE_URL: owner.href, AUDIT_CAPTURE_URL: capture.href }, ...filled };
  },

  traffic: (options) => runTraffic(options, edits(options.seed ?? randomInt(2 ** 32))),
};
