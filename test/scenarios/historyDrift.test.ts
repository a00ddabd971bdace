import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { assertHistory, logChanges } from './changeLog.ts';
import { Scenario } from './harness.ts';
import { until } from './until.ts';

const TABLES = ['altered', 'widened', 'rekeyed', 'recreated', 'lost'];
/** A busy machine takes half a minute for each change that is followed. */
const DEADLINE_MS = 600_000;
const OPERATIONS = ['c', 'u', 'd'] as const;

for (const partitions of [1, 3]) {
  suite(`a history whose table changes its schema, ${partitions} partitions`, { timeout: 1_800_000 }, () => {
    let scenario: Scenario;

    const create = (name: string) => `
      CREATE TABLE ${name} (id int PRIMARY KEY, name text NOT NULL, gone text, n int);
      ALTER TABLE ${name} REPLICA IDENTITY FULL;
      ${logChanges(name)}`;
    const fill = (name: string) =>
      `INSERT INTO ${name} SELECT i, 'name ' || i, 'gone ' || i, i FROM generate_series(1, 40) i;`;

    before(async () => {
      // What was there before the history began is no change of it.
      const ddl = [...TABLES.flatMap((name) => [create(name), fill(name)]), 'TRUNCATE change_log'].join('\n');
      scenario = await Scenario.open({
        ...{ label: 'hdrift', stream: { partitions }, ddl },
        tables: Object.fromEntries(TABLES.map((name) => [name, { history: { operations: [...OPERATIONS] } }])),
      });
    });
    after(() => scenario?.[Symbol.asyncDispose]());

    let round = 0;
    /** Changes of rows all over the table, by columns that it has all the time. */
    async function work(table: string): Promise<void> {
      round++;
      await scenario.sql(`UPDATE ${table} SET n = n + 1 WHERE id % 2 = ${round % 2}`);
      await scenario.sql(`INSERT INTO ${table} SELECT * FROM jsonb_populate_recordset(NULL::${table},
        (SELECT jsonb_agg(to_jsonb(t) || jsonb_build_object('id', 1000 * ${round} + id)) FROM ${table} t WHERE id < 6))`);
      await scenario.sql(`DELETE FROM ${table} WHERE id % 1000 = 5 AND id > 1000`);
    }

    async function targetsOf(table: string): Promise<string[]> {
      const found = await scenario.clickhouse.rows<{ name: string }>(
        `SELECT name FROM system.tables WHERE database = {database:String} AND match(name, {pattern:String}) ORDER BY name`,
        { params: { database: scenario.name, pattern: `^${table}(_until_[0-9]+)?$` } },
      );
      return found.map(({ name }) => name);
    }

    /** Waits until all has landed, also what is met only when the stream goes on after a change of the schema. */
    async function compare(table: string): Promise<number> {
      const state = () => scenario.describe();
      const judge = async () => {
        await scenario.waitUntilCaughtUp(DEADLINE_MS);
        const targets = await targetsOf(table);
        return await assertHistory(scenario, { table, targets, operations: OPERATIONS }).catch(
          (error) => error as Error,
        );
      };
      // What the catalog alone tells is followed some seconds later.
      const judged = await until(judge, (found) => typeof found === 'number', {
        what: `${table} is complete`,
        state,
        deadlineMs: DEADLINE_MS,
      });
      return judged as number;
    }

    test('keeps what a dropped column held, takes an added one in, and follows a rename', async () => {
      const table = 'altered';
      await work(table);
      await scenario.sql(`ALTER TABLE ${table} ADD COLUMN extra text DEFAULT 'preset'`);
      await work(table);
      await scenario.sql(`UPDATE ${table} SET extra = 'e' || id WHERE id < 20`);
      await scenario.sql(`ALTER TABLE ${table} DROP COLUMN gone`);
      await work(table);
      await scenario.sql(`ALTER TABLE ${table} RENAME COLUMN name TO title`);
      await work(table);
      await scenario.sql(`ALTER TABLE ${table} ADD COLUMN gone int, ADD COLUMN name date`);
      await work(table);
      await scenario.sql(`UPDATE ${table} SET gone = 7, name = '2024-02-29' WHERE id > 20`);
      await compare(table);
      const [columns] = await scenario.clickhouse.rows<{ names: string[] }>(
        `SELECT groupArray(name) AS names FROM system.columns WHERE database = '${scenario.name}' AND table = '${table}'
         AND comment LIKE 'source column %' AND comment NOT LIKE '% before %'`,
      );
      assert.deepEqual(columns!.names.toSorted(), ['extra', 'gone', 'gone_dropped_3', 'id', 'n', 'name', 'title']);
      assert.deepEqual(await targetsOf(table), [table]);
    });

    test('is not loaded anew by a wider type, nor by a rewrite of the rows', async () => {
      const table = 'widened';
      await work(table);
      await scenario.sql(`ALTER TABLE ${table} ALTER COLUMN n TYPE bigint, ALTER COLUMN name DROP NOT NULL`);
      await scenario.sql(`UPDATE ${table} SET n = 9223372036854775000, name = NULL WHERE id < 10`);
      await work(table);
      await scenario.sql(`ALTER TABLE ${table} ADD COLUMN token uuid DEFAULT gen_random_uuid()`);
      await work(table);
      await compare(table);
      assert.deepEqual(await targetsOf(table), [table]);
    });

    test('is begun anew beside the old one when its key is another', async () => {
      const table = 'rekeyed';
      await work(table);
      const before = await compare(table);
      await scenario.sql(`ALTER TABLE ${table} ALTER COLUMN id TYPE bigint`);
      await scenario.sql(`INSERT INTO ${table} VALUES (3000000000, 'far', NULL, 1)`);
      await work(table);
      assert.ok((await compare(table)) > before);
      assert.deepEqual(await targetsOf(table), [table, `${table}_until_1`]);
    });

    test('is begun anew beside the old one when its table is created again', async () => {
      const table = 'recreated';
      await work(table);
      await compare(table);
      await scenario.sql(`DROP TABLE ${table}; ${create(table)}`);
      const published = async () =>
        (await scenario.source.admin.query('SELECT FROM pg_publication_tables WHERE tablename = $1', [table])).rowCount;
      // PostgreSQL sends nothing of a table that is not published yet.
      await until(published, (count) => count === 1, {
        ...{ what: 'the new table is published', state: () => scenario.describe() },
      });
      await scenario.sql(fill(table));
      await work(table);
      await compare(table);
      assert.deepEqual(await targetsOf(table), [table, `${table}_until_1`]);
    });

    test('keeps its changes when a slot is lost and the source is altered before the next one', async () => {
      const table = 'lost';
      await work(table);
      const kept = await compare(table);
      await scenario.loseSlot(() => scenario.sql(`ALTER TABLE ${table} DROP COLUMN gone, ADD COLUMN added int`));
      assert.equal(await compare(table), kept);
      await work(table);
      assert.ok((await compare(table)) > kept);
      assert.deepEqual(await targetsOf(table), [table]);
      for (const other of TABLES) await compare(other);
    });
  });
}
