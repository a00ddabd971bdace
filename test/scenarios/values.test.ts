import { after, before, suite, test } from 'node:test';
import { pgIdentifier } from '../../core/identifiers.ts';
import { Scenario } from './harness.ts';
import { VALUE_CASES, type ValueCase } from './valuesCases.ts';

const NAMES = VALUE_CASES.map(({ type }) => `of ${type}`.replaceAll(/[^A-Za-z0-9 ]/g, ' '));

/** Large values that an update does not touch have tests of their own; here they come with every change. */
function tableDdl({ type, values }: ValueCase, name: string): string {
  const table = pgIdentifier(name);
  const rows = [...values, 'NULL'].map((value, id) => `(${id}, ${value === 'NULL' ? values[0] : value}, ${value})`);
  return `
    CREATE TABLE ${table} (id int PRIMARY KEY, n ${type} NOT NULL, v ${type});
    ALTER TABLE ${table} REPLICA IDENTITY FULL;
    INSERT INTO ${table} VALUES ${rows.join(', ')};`;
}

suite('values arrive as they are', () => {
  let scenario: Scenario;

  before(async () => {
    scenario = await Scenario.open({
      label: 'val',
      tables: [...NAMES.map((name) => pgIdentifier(name)), 'wide_rows', 'enum_grows'],
      ddl: `
        CREATE EXTENSION hstore; CREATE EXTENSION citext;
        CREATE TYPE mood AS ENUM ('sad', 'so so', 'it''s "ok"'); CREATE TYPE growing AS ENUM ('a');
        CREATE TYPE pair AS (a int, b text); CREATE DOMAIN positive AS int CHECK (VALUE > 0);
        ${VALUE_CASES.map((each, index) => tableDdl(each, NAMES[index]!)).join('')}
        CREATE TABLE wide_rows (id int PRIMARY KEY, n int, body text, raw bytea, doc jsonb);
        ALTER TABLE wide_rows REPLICA IDENTITY FULL;
        INSERT INTO wide_rows SELECT i, 0, repeat('snapshot ', 150000), decode(repeat('00ff', 600000), 'hex'), NULL FROM generate_series(1, 3) i;
        CREATE TABLE enum_grows (id int PRIMARY KEY, v growing NOT NULL);
        INSERT INTO enum_grows VALUES (1, 'a')`,
    });
    // What the snapshot has copied is compared first, then all of it arrives once more through the stream.
    await scenario.waitUntilCaughtUp();
  });
  after(() => scenario?.[Symbol.asyncDispose]());

  for (const [index, { type }] of VALUE_CASES.entries()) {
    test(`${type}, copied by the snapshot`, () => scenario.assertEqualNow(NAMES[index]!));
  }

  test('all types, streamed by inserts', async () => {
    for (const name of NAMES)
      await scenario.sql(`INSERT INTO ${pgIdentifier(name)} SELECT id + 100, n, v FROM ${pgIdentifier(name)}`);
    await scenario.waitUntilCaughtUp();
  });
  for (const [index, { type }] of VALUE_CASES.entries()) {
    test(`${type}, streamed by inserts`, () => scenario.assertEqualNow(NAMES[index]!));
  }

  test('all types, streamed by updates and deletes', async () => {
    for (const name of NAMES) {
      const table = pgIdentifier(name);
      await scenario.sql(`
        UPDATE ${table} t SET n = coalesce(o.v, t.n), v = o.v FROM ${table} o
        WHERE t.id < 100 AND o.id = (t.id + 1) % (SELECT count(*) FROM ${table} WHERE id < 100);
        DELETE FROM ${table} WHERE id = 100; UPDATE ${table} SET id = -id, v = NULL WHERE id = 101`);
    }
    await scenario.assertEqual();
  });

  test('rows of 1 MiB and more', async () => {
    await scenario.sql(`
      INSERT INTO wide_rows SELECT 10 + i, 1, repeat(E'\\\\"\\n😀', 300000), decode(repeat('5c22', 1000000), 'hex'), NULL FROM generate_series(1, 2) i`);
    await scenario.sql(`INSERT INTO wide_rows VALUES (20, 1, NULL, NULL, to_jsonb(repeat('json ', 400000)))`);
    await scenario.sql('UPDATE wide_rows SET n = n + 1');
    await scenario.sql(
      "UPDATE wide_rows SET body = repeat('other ', 250000) WHERE id = 2; DELETE FROM wide_rows WHERE id = 3",
    );
    await scenario.assertEqual('wide_rows');
  });

  test('a label added to an enum with ALTER TYPE ADD VALUE', async () => {
    await scenario.sql("ALTER TYPE growing ADD VALUE 'b'");
    await scenario.sql("INSERT INTO enum_grows VALUES (2, 'b')");
    await scenario.sql("ALTER TYPE growing RENAME VALUE 'a' TO 'c'; INSERT INTO enum_grows VALUES (3, 'b')");
    await scenario.sql("UPDATE enum_grows SET v = 'c'");
    await scenario.assertEqual('enum_grows');
  });
});
