import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import type { TableVerification } from '../../core/activityTypes.ts';
import { chIdentifier, chTable } from '../../core/identifiers.ts';
import { Random } from '../../pipelines/random.ts';
import { corrupted } from './corruption.ts';
import { Scenario } from './harness.ts';
import { VALUE_CASES } from './valuesCases.ts';
import { resultOf, verify } from './verification.ts';

const ROWS = 24;
/** As many as a report lists, less the row that is missing and the one that is too many. */
const AT_A_TIME = 18;
const COLUMNS = VALUE_CASES.map(({ type, values }, index) => ({
  ...{ name: `c${index}`, type, values },
  json: type.endsWith('[]') || type === 'hstore',
}));
const seed = Date.now() % 1_000_000;

const sorted = (differences: TableVerification['differences']) =>
  differences.map(({ key, kind }) => `${kind} ${key}`).sort();

suite('what changed behind the engine is found with its key, and mended', () => {
  let scenario: Scenario;
  const random = new Random(seed);
  const target = (name: string) => chTable({ database: scenario.pipeline.database, name });
  const command = (sql: string) => scenario.clickhouse.command(sql, { settings: { mutations_sync: 2 } });

  before(async () => {
    const nthValue = (values: readonly string[], row: number) =>
      row % (values.length + 1) === values.length ? 'NULL' : values[row % (values.length + 1)];
    const rows = Array.from(
      { length: ROWS },
      (_, row) => `(${row}, ${COLUMNS.map(({ values }) => nthValue(values, row)).join(', ')})`,
    );
    scenario = await Scenario.open({
      label: 'ver',
      tables: ['everything', 'keyed'],
      ddl: `
        CREATE EXTENSION hstore; CREATE EXTENSION citext;
        CREATE TYPE mood AS ENUM ('sad', 'so so', 'it''s "ok"', 'ok'); CREATE TYPE pair AS (a int, b text);
        CREATE DOMAIN positive AS int CHECK (VALUE > 0);
        CREATE TABLE everything (id int PRIMARY KEY, ${COLUMNS.map(({ name, type }) => `${name} ${type}`).join(', ')});
        ALTER TABLE everything REPLICA IDENTITY FULL;
        INSERT INTO everything VALUES ${rows.join(', ')};
        CREATE TABLE keyed (k bigint PRIMARY KEY, v int); INSERT INTO keyed VALUES (-1, 1), (0, 1), (9223372036854775807, 1)`,
    });
    await scenario.waitUntilCaughtUp();
  });
  after(() => scenario?.[Symbol.asyncDispose]());

  test('nothing differs before', async () => {
    const report = await verify(scenario);
    assert.deepEqual(
      report.tables.filter(({ equal }) => !equal),
      [],
    );
    assert.equal(resultOf(report, 'everything').sourceRows, ROWS);
  });

  test(`a value, a byte, a row of every type, at random (seed ${seed})`, async (context) => {
    context.diagnostic(`seed ${seed}`);
    const found = await scenario.clickhouse.rows<{ name: string; type: string }>(
      "SELECT name, type FROM system.columns WHERE database = {database:String} AND table = 'everything'",
      { params: { database: scenario.pipeline.database } },
    );
    const types = new Map(found.map(({ name, type }) => [name, type]));
    const waiting = random.some(COLUMNS, COLUMNS.length);
    for (const each of COLUMNS) if (!waiting.includes(each)) waiting.push(each);
    const FIRST = 1000;
    for (let added = FIRST; waiting.length > 0; added++) {
      const ids = random.some(
        Array.from({ length: ROWS }, (_, id) => id),
        ROWS,
      );
      const [removed, ...wrong] = ids;
      const columns = waiting.splice(0, Math.min(AT_A_TIME, wrong.length));
      const everything = target('everything');
      const changes = columns.map(({ name, json }, index) => ({
        ...{ id: wrong[index]!, column: chIdentifier(name) },
        value: corrupted(name, { type: types.get(name)!, json, random }),
      }));
      // Half of them in place, the others as newer versions of their rows.
      const inPlace = changes.filter((_, index) => index % 2 === 0);
      const set = inPlace.map(({ id, column, value }) => `${column} = if(id = ${id}, ${value}, ${column})`);
      await command(
        `ALTER TABLE ${everything} UPDATE ${set.join(', ')} WHERE id IN (${inPlace.map(({ id }) => id).join(', ')})`,
      );
      for (const { id, column, value } of changes.filter((_, index) => index % 2 === 1)) {
        await command(
          `INSERT INTO ${everything} SELECT * REPLACE (${value} AS ${column}, _version + 1 AS _version) FROM ${everything} FINAL WHERE id = ${id}`,
        );
      }
      await command(
        random.chance(0.5)
          ? `ALTER TABLE ${everything} DELETE WHERE id = ${removed}`
          : `INSERT INTO ${everything} SELECT * REPLACE (_version + 1 AS _version, 1 AS _deleted) FROM ${everything} FINAL WHERE id = ${removed}`,
      );
      await command(`INSERT INTO ${everything} (id, _version) VALUES (${added}, ${random.between(1, 1e9)})`);
      const expected = [
        ...columns.map((_, index) => ({ key: `["${wrong[index]}"]`, kind: 'different' as const })),
        { key: `["${removed}"]`, kind: 'missing' as const },
        { key: `["${added}"]`, kind: 'extra' as const },
      ];
      const what = columns.map(({ type }, index) => `${wrong[index]}: ${type}`).join(', ');
      // A repair reports what it found, so that a run without one is asked for once only.
      if (added === FIRST) {
        const { differences } = resultOf(await verify(scenario), 'everything');
        assert.deepEqual(sorted(differences), sorted(expected), what);
      }
      const repaired = await verify(scenario, { repair: true });
      assert.equal(repaired.ok, true, what);
      assert.deepEqual(sorted(resultOf(repaired, 'everything').repaired.shown), sorted(expected));
      await scenario.assertEqual('everything');
    }
  });

  test('a row whose version no change can have, so that all to come would be hidden', async () => {
    await command(
      `INSERT INTO ${target('keyed')} SELECT * REPLACE (7 AS v, toUInt128('${2n ** 127n}') AS _version) FROM ${target('keyed')} FINAL WHERE k = 0`,
    );
    await scenario.sql('UPDATE keyed SET v = 8 WHERE k = 0');
    assert.deepEqual(resultOf(await verify(scenario), 'keyed').differences, [{ key: '["0"]', kind: 'different' }]);
    assert.equal((await verify(scenario, { repair: true })).ok, true);
    await scenario.sql('UPDATE keyed SET v = 9 WHERE k = 0');
    await scenario.assertEqual('keyed');
  });

  test('rows that are missing after a TRUNCATE', async () => {
    await scenario.sql('TRUNCATE keyed; INSERT INTO keyed SELECT i, i FROM generate_series(1, 50) i');
    await scenario.waitUntilCaughtUp();
    await command(
      `INSERT INTO ${target('keyed')} SELECT * REPLACE (_version + 1 AS _version, 1 AS _deleted) FROM ${target('keyed')} FINAL WHERE k % 2 = 0`,
    );
    assert.equal(resultOf(await verify(scenario, { repair: true }), 'keyed').repaired.keys, 25);
    await scenario.assertEqual('keyed');
  });
});
