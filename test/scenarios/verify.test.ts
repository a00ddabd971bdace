import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { followVerify } from '../../adapters/temporalWork.ts';
import type { TableVerification, VerifyReport } from '../../core/activityTypes.ts';
import { chIdentifier, chTable } from '../../core/identifiers.ts';
import { Random } from '../../pipelines/random.ts';
import { corrupted } from './corruption.ts';
import { Scenario } from './harness.ts';
import type { Verdict } from './proxy.ts';
import { until } from './until.ts';
import { VALUE_CASES } from './valuesCases.ts';

const ROWS = 24;
/** As many as a report lists, less the row that is missing and the one that is too many. */
const AT_A_TIME = 18;
const COLUMNS = VALUE_CASES.map(({ type, values }, index) => ({
  ...{ name: `c${index}`, type, values },
  json: type.endsWith('[]') || type === 'hstore',
}));
const seed = Date.now() % 1_000_000;

/** Types of keys, with three keys each. */
const KEYS: readonly [type: string, ...keys: string[]][] = [
  ['bigint', '-1', '0', '9223372036854775807'],
  ['boolean', 'true', 'false', 'NULL'],
  ['numeric', '1.20', '-3', "'NaN'"],
  ['numeric(10,2)', '1.20', '-3', '0'],
  ['text', "''", `E'a "quoted"\\n\\\\ key'`, "'ключ 😀'"],
  ['varchar(10)', "'a'", "'A'", "' a'"],
  ['char(4)', "'a'", "'b'", "' a'"],
  ['citext', "'aB'", "'b'", "'c'"],
  ['uuid', "'6BA7B810-9dad-11d1-80b4-00c04fd430c8'", 'gen_random_uuid()', 'gen_random_uuid()'],
  ['bytea', "'\\x00'", "'\\xdead22'", "'\\x'"],
  ['date', "'2024-02-29'", "'1969-12-31'", "'2299-12-31'"],
  ['timestamp', "'2024-02-29 01:02:03.4'", "'1969-12-31'", 'now()'],
  ['timestamptz', "'2024-02-29 01:02:03.4+05:30'", "'1969-12-31Z'", 'now()'],
  ['time', "'00:00:00'", "'12:34:56.1'", "'23:59:59.999999'"],
  ['timetz', "'10:00:00+02'", "'12:34:56.1Z'", "'23:59:59-08'"],
  ['interval', "'1 year 2 days'", "'-1.5 s'", "'0'"],
  ['inet', "'10.0.0.1'", "'10.0.0.1/8'", "'::1'"],
  ['double precision', '0.1', "'-Infinity'", "'NaN'"],
  ['mood', "'sad'", "'so so'", "'ok'"],
  ['int4range', "'[1,5)'", "'empty'", "'(,)'"],
  ['jsonb', `'{"a": [1, "x"]}'`, "'null'", "'1'"],
  ['text[]', `'{a,"b c"}'`, "'{}'", "'{NULL}'"],
];
const keyTable = (index: number) => `keyed_${index}`;

async function verify(scenario: Scenario, options?: { repair: boolean }): Promise<VerifyReport> {
  const workflowId = await scenario.temporal.startVerify(scenario.name, options);
  return await followVerify(scenario.temporal.client, { workflowId, onActivities: () => undefined });
}

function resultOf(report: VerifyReport, table: string): TableVerification {
  const found = report.tables.find((each) => each.table === table);
  assert.ok(found, `${table} is in the report`);
  return found;
}

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
      tables: ['everything', ...KEYS.map((_, index) => keyTable(index))],
      ddl: `
        CREATE EXTENSION hstore; CREATE EXTENSION citext;
        CREATE TYPE mood AS ENUM ('sad', 'so so', 'it''s "ok"', 'ok'); CREATE TYPE pair AS (a int, b text);
        CREATE DOMAIN positive AS int CHECK (VALUE > 0);
        CREATE TABLE everything (id int PRIMARY KEY, ${COLUMNS.map(({ name, type }) => `${name} ${type}`).join(', ')});
        ALTER TABLE everything REPLICA IDENTITY FULL;
        INSERT INTO everything VALUES ${rows.join(', ')};
        ${KEYS.map(([type, ...keys], index) => {
          const some = keys.filter((key) => key !== 'NULL').map((key) => `(${key}, 1)`);
          return `CREATE TABLE ${keyTable(index)} (k ${type} PRIMARY KEY, v int); INSERT INTO ${keyTable(index)} VALUES ${some.join(', ')};`;
        }).join('\n')}`,
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

  test('a row of a key of any type', async () => {
    for (const index of KEYS.keys()) {
      const table = target(keyTable(index));
      // One is changed, one deleted.
      await command(
        `INSERT INTO ${table} SELECT * REPLACE (2 AS v, _version + 1 AS _version, toUInt8(rowNumberInAllBlocks() = 0) AS _deleted) ` +
          `FROM (SELECT * FROM ${table} FINAL ORDER BY k LIMIT 2)`,
      );
    }
    const report = await verify(scenario);
    for (const [index, [type]] of KEYS.entries()) {
      const kinds = resultOf(report, keyTable(index)).differences.map(({ kind }) => kind);
      assert.deepEqual(kinds.sort(), ['different', 'missing'], type);
    }
    const text = resultOf(report, keyTable(KEYS.findIndex(([type]) => type === 'text'))).differences;
    assert.ok(text.every(({ key }) => ['[""]', '["a \\"quoted\\"\n\\\\ key"]', '["ключ 😀"]'].includes(key)));
    assert.equal((await verify(scenario, { repair: true })).ok, true);
    await scenario.assertEqual();
  });

  test('a row whose version no change can have, so that all to come would be hidden', async () => {
    await command(
      `INSERT INTO ${target('keyed_0')} SELECT * REPLACE (7 AS v, toUInt128('${2n ** 127n}') AS _version) FROM ${target('keyed_0')} FINAL WHERE k = 0`,
    );
    await scenario.sql('UPDATE keyed_0 SET v = 8 WHERE k = 0');
    assert.deepEqual(resultOf(await verify(scenario), 'keyed_0').differences, [{ key: '["0"]', kind: 'different' }]);
    assert.equal((await verify(scenario, { repair: true })).ok, true);
    await scenario.sql('UPDATE keyed_0 SET v = 9 WHERE k = 0');
    await scenario.assertEqual('keyed_0');
  });

  test('rows that are missing after a TRUNCATE', async () => {
    await scenario.sql('TRUNCATE keyed_0; INSERT INTO keyed_0 SELECT i, i FROM generate_series(1, 50) i');
    await scenario.waitUntilCaughtUp();
    await command(
      `INSERT INTO ${target('keyed_0')} SELECT * REPLACE (_version + 1 AS _version, 1 AS _deleted) FROM ${target('keyed_0')} FINAL WHERE k % 2 = 0`,
    );
    assert.equal(resultOf(await verify(scenario, { repair: true }), 'keyed_0').repaired.keys, 25);
    await scenario.assertEqual('keyed_0');
  });
});

suite('verify, while rows are written', () => {
  let scenario: Scenario;
  const target = () => chTable({ database: scenario.pipeline.database, name: 'busy' });
  const BUSY = 6000;

  before(async () => {
    scenario = await Scenario.open({
      ...{ label: 'verlive', tables: ['busy'], workers: 'child' },
      // About one row a page, so that it is read in several parts.
      ddl: `CREATE TABLE busy (id int PRIMARY KEY, n int NOT NULL, v text) WITH (fillfactor = 10);
        INSERT INTO busy SELECT i, 0, repeat('x', 500 + i % 50) FROM generate_series(1, ${BUSY}) i`,
    });
    await scenario.waitUntilCaughtUp();
  });
  after(() => scenario?.[Symbol.asyncDispose]());

  /** Some 500 changes a second, of rows anywhere, of a few rows again and again, and of rows that come and go. */
  async function underTraffic(work: () => Promise<void>): Promise<void> {
    const session = await scenario.source.connect();
    let writing = true;
    const random = new Random(seed);
    const write = async () => {
      for (let i = 0; writing; i++) {
        const some = Array.from({ length: 18 }, () => random.between(1, BUSY - 100)).join(', ');
        await session.query(`
          UPDATE busy SET n = n + 1 WHERE id IN (${some}); UPDATE busy SET n = n + 1 WHERE id IN (1, 2, 3);
          INSERT INTO busy VALUES (${BUSY + (i % 7)}, ${i}, 'comes') ON CONFLICT (id) DO UPDATE SET n = EXCLUDED.n;
          DELETE FROM busy WHERE id = ${BUSY + ((i + 3) % 7)};
          UPDATE busy SET id = id + 1000000 WHERE id = ${random.between(1, 5000)}; UPDATE busy SET id = id - 1000000 WHERE id > 1000000`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    };
    const writer = write();
    writer.catch(() => undefined);
    try {
      await work();
    } finally {
      writing = false;
      await writer;
      await session.end();
    }
  }

  test('there is no false alarm, and what differs is found', () =>
    underTraffic(async () => {
      for (let run = 1; run <= 5; run++) {
        const report = await verify(scenario);
        assert.equal(report.ok, true, `run ${run}: ${JSON.stringify(report)}`);
      }
      const wrong = BUSY - 50;
      await scenario.clickhouse.command(
        `INSERT INTO ${target()} SELECT * REPLACE ('wrong' AS v, _version + 1 AS _version) FROM ${target()} FINAL WHERE id = ${wrong}`,
      );
      assert.deepEqual(resultOf(await verify(scenario), 'busy').differences, [
        { key: `["${wrong}"]`, kind: 'different' },
      ]);
    }));

  test('a repair overwrites no newer change', async () => {
    await underTraffic(async () => {
      for (let run = 1; run <= 3; run++) {
        // A version just above the stored one, as a change that was loaded wrongly would have.
        await scenario.clickhouse.command(
          `INSERT INTO ${target()} SELECT * REPLACE (-1 AS n, _version + 1 AS _version) FROM ${target()} FINAL WHERE id % 20 = 0`,
        );
        await scenario.clickhouse.command(
          `INSERT INTO ${target()} SELECT * REPLACE (_version + 1 AS _version, 1 AS _deleted) FROM ${target()} FINAL WHERE id % 20 = 7`,
        );
        const { repaired } = resultOf(await verify(scenario, { repair: true }), 'busy');
        assert.ok(repaired.keys > 100, `run ${run}: ${repaired.keys}`);
      }
    });
    await scenario.assertEqual('busy');
  });

  test('kill -9 of the worker is survived, and its tables are not left behind', async () => {
    let inserts = 0;
    const dying = (then: () => void): Verdict => ({ do: 'swallow', then });
    scenario.proxy.rule = (statement) => {
      if (!/_verify_/.test(statement) || ++inserts !== 2) return { do: 'pass' };
      return dying(() => void scenario.killWorkers());
    };
    const report = verify(scenario);
    await scenario.workersEnded();
    scenario.proxy.rule = null;
    scenario.startWorkers();
    assert.equal((await report).ok, true);
    const left = await scenario.clickhouse.rows(
      `SELECT name FROM system.tables WHERE database = {database:String} AND name LIKE '%verify%'`,
      { params: { database: scenario.pipeline.database } },
    );
    assert.deepEqual(left, []);
    await until(
      () => scenario.status(),
      (view) => view?.status.phase === 'streaming',
      { what: 'the stream goes on' },
    );
  });
});
