import { after, before, suite, test } from 'node:test';
import { Scenario } from './harness.ts';
import { until } from './until.ts';

const TABLES = ['added', 'defaulted', 'dropped', 'renamed', 'widened', 'twice', 'refilled', 'recreated', 'rebuilt'];

suite('schema changes mid-stream: source and target are equal after', () => {
  let scenario: Scenario;

  before(async () => {
    scenario = await Scenario.open({
      ...{ label: 'schema', tables: TABLES },
      ddl: TABLES.map(
        (name) =>
          `CREATE TABLE ${name} (id int PRIMARY KEY, a text, b int); INSERT INTO ${name} SELECT i, 'a' || i, i FROM generate_series(1, 50) i;`,
      ).join('\n'),
    });
  });
  after(() => scenario?.[Symbol.asyncDispose]());

  /** What sends no event is noticed after some seconds, and a table that is loaded anew is gone for a while. */
  async function untilEqual(name: string): Promise<void> {
    const table = scenario.pipeline.tables.find((each) => each.name === name)!;
    const compare = async () => {
      await scenario.failIfStopped();
      return await scenario.differences(table).catch((error) => [String(error)]);
    };
    await until(compare, (found) => found.length === 0, {
      ...{ what: `${name} is equal`, state: () => scenario.describe() },
    });
  }

  /** Changes of the old shape, the change of shape and changes of the new one, all on their way together. */
  async function change(table: string, ddl: string, then: string): Promise<void> {
    await scenario.sql(`UPDATE ${table} SET b = b + 1 WHERE id % 2 = 0; INSERT INTO ${table} VALUES (100, 'old', 1)`);
    await scenario.sql(ddl);
    await scenario.sql(`${then}; DELETE FROM ${table} WHERE id IN (5, 6)`);
    await untilEqual(table);
  }

  test('ADD COLUMN without a default', () =>
    change(
      'added',
      'ALTER TABLE added ADD COLUMN c text',
      "INSERT INTO added VALUES (101, 'new', 1, 'c'); UPDATE added SET c = 'x' WHERE id < 4",
    ));

  test('ADD COLUMN with a constant default, which fills old rows silently', () =>
    change(
      'defaulted',
      'ALTER TABLE defaulted ADD COLUMN c int NOT NULL DEFAULT 7',
      "INSERT INTO defaulted VALUES (101, 'new', 1, 8)",
    ));

  test('ADD COLUMN with a default that rewrites the table without an event', () =>
    change(
      'refilled',
      'ALTER TABLE refilled ADD COLUMN c uuid DEFAULT gen_random_uuid()',
      "INSERT INTO refilled VALUES (101, 'new', 1)",
    ));

  test('DROP COLUMN', () =>
    change('dropped', 'ALTER TABLE dropped DROP COLUMN a', 'INSERT INTO dropped VALUES (101, 2)'));

  test('RENAME COLUMN', () =>
    change(
      'renamed',
      'ALTER TABLE renamed RENAME COLUMN a TO z',
      "INSERT INTO renamed (id, z) VALUES (101, 'new'); UPDATE renamed SET z = 'x' WHERE id = 1",
    ));

  test('a type widened', () =>
    change(
      'widened',
      'ALTER TABLE widened ALTER COLUMN b TYPE bigint',
      "INSERT INTO widened VALUES (101, 'new', 9223372036854775807)",
    ));

  test('a type changed with USING, which rewrites the table without an event', () =>
    change(
      'rebuilt',
      "ALTER TABLE rebuilt ALTER COLUMN b TYPE text USING 'n' || b",
      "INSERT INTO rebuilt VALUES (101, 'new', 'text')",
    ));

  test('two changes at once', () =>
    change(
      'twice',
      'ALTER TABLE twice ADD COLUMN c int DEFAULT 1, DROP COLUMN a; ALTER TABLE twice RENAME COLUMN b TO a',
      'INSERT INTO twice VALUES (101, 2, 3)',
    ));

  test('a column dropped and added again under the same name with another type', () =>
    change(
      'recreated',
      'ALTER TABLE recreated DROP COLUMN a; ALTER TABLE recreated ADD COLUMN a int',
      'INSERT INTO recreated (id, a) VALUES (101, 2)',
    ));

  test('all of these, at the end', async () => {
    await scenario.waitUntilStreaming();
    await scenario.assertEqual();
  });
});
