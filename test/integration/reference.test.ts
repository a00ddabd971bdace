import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import type pg from 'pg';
import { copyReference, type ReferenceStep } from '../../activities/copyReference.ts';
import { connectPostgres } from '../../adapters/postgres.ts';
import type { CopyProgress, ReferenceResult } from '../../core/activityTypes.ts';
import { TidegateError } from '../../core/errors.ts';
import { until } from '../workflow/until.ts';
import { killAtStep, leftovers, startProxy } from './copySupport.ts';
import { createSourceDatabase, depsFor, type SourceDatabase, startActivity, uniqueName } from './streamSupport.ts';

const name = uniqueName('reflab');
const variable = `${name.toUpperCase()}_URL`;
const input = { name, source: variable, tables: { things: { load: 'reference' as const } } };
let source: SourceDatabase;
let settings: Record<string, string>;
let deps: ReturnType<typeof depsFor>;
/** Holds locks, so that the owner's session can look on. */
let blocker: pg.Client;

before(async () => {
  source = await createSourceDatabase(name, 'secret');
  settings = { [variable]: source.captureUrl.href };
  deps = depsFor(input, settings);
  blocker = await connectPostgres(source.url, { applicationName: 'test blocker' });
});

after(async () => {
  await deps?.clickhouse.command(`DROP DATABASE IF EXISTS ${name}`);
  await deps?.clickhouse.close();
  await blocker?.end();
  await source?.drop();
});

beforeEach(async () => {
  await source.owner.query('DROP TABLE IF EXISTS things');
  await source.owner.query('CREATE TABLE things (id int PRIMARY KEY, name text, price numeric(10,2))');
  await insert(1, 3);
  await deps.clickhouse.command(`CREATE DATABASE IF NOT EXISTS ${name}`);
  await deps.clickhouse.command(`DROP TABLE IF EXISTS ${name}.things`);
});

const insert = (from: number, to: number) =>
  source.owner.query(
    "INSERT INTO things SELECT i, 'thing' || chr(9) || i || chr(10), i / 4.0 FROM generate_series($1::int, $2) i",
    [from, to],
  );
const load = (using = deps, onStep?: (step: ReferenceStep) => Promise<void>) =>
  startActivity<ReferenceResult, CopyProgress>(() => copyReference(using, onStep).copyReference(name, 'things'));
const landed = () => deps.clickhouse.rows(`SELECT * FROM ${name}.things ORDER BY id`);
const sourceRows = async () => (await source.owner.query('SELECT * FROM things ORDER BY id')).rows;
const loads = async () => {
  const rows = (await sourceRows()).map((row) => ({ ...row, price: Number(row.price) }));
  assert.deepEqual(await landed(), rows);
  assert.deepEqual(await leftovers(deps.clickhouse, name), []);
};
/** Process ids of a load's sessions at the source that run such a query now, or ran it last. */
const sessions = async (query = '%') => {
  const { rows } = await source.owner.query<{ pid: number }>(
    `SELECT pid FROM pg_stat_activity WHERE application_name = 'tidegate ' || $1 || ' things' AND query LIKE $2
     AND (state = 'active' OR $2 = '%')`,
    [name, query],
  );
  return rows.map(({ pid }) => pid);
};

test('a load brings the table over whole, and another one takes deleted rows away', async () => {
  const first = await load().result;
  assert.deepEqual({ ...first, seconds: 0, bytes: 0 }, { table: 'things', rows: 3, bytes: 0, seconds: 0 });
  await loads();
  await source.owner.query("DELETE FROM things WHERE id = 2; UPDATE things SET name = 'new' WHERE id = 3");
  await insert(4, 4);
  assert.equal((await load().result).rows, 3);
  await loads();
});

test('an empty table is loaded as empty', async () => {
  await load().result;
  await source.owner.query('DELETE FROM things');
  assert.equal((await load().result).rows, 0);
  await loads();
});

test('columns that the source gained and lost are there after the next load', async () => {
  await load().result;
  await source.owner.query(
    "ALTER TABLE things DROP COLUMN price, ADD COLUMN price int DEFAULT 7, ADD COLUMN note text DEFAULT 'n'",
  );
  await load().result;
  await loads();
});

test('views over the table answer during a swap and see the new load after it', async () => {
  await load().result;
  await deps.clickhouse.command(`CREATE OR REPLACE VIEW ${name}.view AS SELECT count() AS rows FROM ${name}.things`);
  await insert(4, 10);
  const seen: number[] = [];
  let loading = true;
  const reader = (async () => {
    while (loading)
      seen.push(Number((await deps.clickhouse.rows<{ rows: string }>(`SELECT * FROM ${name}.view`))[0]?.rows));
  })();
  await load().result;
  loading = false;
  await reader;
  assert.ok(
    seen.every((rows) => rows === 3 || rows === 10),
    String(seen),
  );
  assert.deepEqual(await deps.clickhouse.rows(`SELECT * FROM ${name}.view`), [{ rows: '10' }]);
});

for (const step of ['staged', 'copied', 'checked', 'swapped'] satisfies ReferenceStep[]) {
  test(`a load that is killed when ${step} leaves whole data, and the next one is complete`, async () => {
    await load().result;
    await insert(4, 5000);
    await killAtStep({ input, settings, table: 'things', killAt: step });
    assert.equal((await landed()).length, step === 'swapped' ? 5000 : 3);
    await load().result;
    await loads();
    await load().result;
    await loads();
  });
}

test('a cancelled load leaves the load before, no staging table, and no session at the source', async () => {
  await load().result;
  await insert(4, 200_000);
  const staged = Promise.withResolvers<void>();
  const running = load(deps, async (step) => {
    if (step !== 'staged') return;
    running.cancel();
    staged.resolve();
  });
  await staged.promise;
  await assert.rejects(running.result, { name: 'CancelledFailure' });
  assert.equal((await landed()).length, 3);
  assert.deepEqual(await leftovers(deps.clickhouse, name), []);
  await until(
    () => sessions(),
    (pids) => pids.length === 0,
  );
});

test('a load that waits for a lock beats, can be cancelled, and leaves nothing waiting at the source', async () => {
  await blocker.query('BEGIN; LOCK TABLE things IN ACCESS EXCLUSIVE MODE');
  try {
    await using running = load();
    await until(
      () => sessions(),
      (pids) => pids.length > 0,
    );
    await until(
      async () => running.beat()?.tables[0]?.phase,
      (phase) => phase === 'waiting',
    );
    running.cancel();
    await assert.rejects(running.result, { name: 'CancelledFailure' });
    await until(
      () => sessions(),
      (pids) => pids.length === 0,
    );
  } finally {
    await blocker.query('ROLLBACK');
  }
});

test('a session that is terminated in the middle of COPY never ends as a short load', async () => {
  await load().result;
  await insert(4, 1_000_000);
  await using running = load();
  const copying = await until(
    () => sessions('COPY%'),
    (pids) => pids.length > 0,
  );
  await source.owner.query('SELECT pg_terminate_backend($1)', [copying[0]]);
  await assert.rejects(
    running.result,
    (error) => error instanceof TidegateError && error.code === 'SERVICE_UNREACHABLE',
  );
  assert.equal((await landed()).length, 3);
  assert.deepEqual(await leftovers(deps.clickhouse, name), []);
});

test('a connection that is cut in the middle of COPY never ends as a short load', async () => {
  await load().result;
  await insert(4, 300_000);
  await using proxy = await startProxy(source.captureUrl);
  const through = depsFor(input, { [variable]: proxy.url.href });
  for (const bytes of [1_000_000, 3_000_000, 6_000_000]) {
    const running = load(through, async (step) => {
      if (step === 'staged') proxy.cutAfter(bytes);
    });
    await assert.rejects(
      running.result,
      (error) => error instanceof TidegateError && error.code === 'SERVICE_UNREACHABLE',
    );
    assert.equal((await landed()).length, 3);
    assert.deepEqual(await leftovers(deps.clickhouse, name), []);
    proxy.cutAfter(Number.POSITIVE_INFINITY);
  }
  await through.clickhouse.close();
});

test('a table that is being rewritten is not loaded as empty', async () => {
  await blocker.query('BEGIN; ALTER TABLE things ALTER COLUMN id TYPE bigint');
  await using running = load();
  await until(
    () => sessions(),
    (pids) => pids.length > 0,
  );
  await until(
    async () =>
      (await source.owner.query("SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'things'::regclass")).rowCount,
    (waiting) => waiting === 1,
  );
  await blocker.query('COMMIT');
  // The catalog was read before: the rows are those after the rewrite, or the copy is refused; never none.
  const loaded = await running.result.catch(() => null);
  if (loaded) assert.equal(loaded.rows, 3);
  await load().result;
  await loads();
});

test('a row-level policy raises instead of hiding rows', async () => {
  await load().result;
  await source.owner.query('ALTER TABLE things ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON things USING (id < 3)');
  await assert.rejects(
    load().result,
    (error) => error instanceof TidegateError && error.code === 'ACCESS_DENIED' && /BYPASSRLS/.test(error.line),
  );
  assert.equal((await landed()).length, 3);
});

test('pages that were emptied, and rows that moved, come over once each by ranges of pages', async () => {
  await insert(4, 600_000);
  await source.owner.query('DELETE FROM things WHERE id % 7 = 0 OR id BETWEEN 100000 AND 250000');
  await source.owner.query("UPDATE things SET name = name || 'x' WHERE id % 5 = 0");
  await source.owner.query('VACUUM things');
  await using running = load();
  const { rows } = await running.result;
  const expected = await source.owner.query(
    'SELECT count(*)::int AS rows, sum(id)::text AS ids, sum(length(name))::text AS names FROM things',
  );
  assert.equal(rows, expected.rows[0].rows);
  assert.deepEqual(
    await deps.clickhouse.rows(
      `SELECT toInt32(uniqExact(id)) AS rows, toString(sum(id)) AS ids, toString(sum(lengthUTF8(name))) AS names FROM ${name}.things`,
    ),
    expected.rows,
  );
  assert.equal(running.beat()?.tables[0]?.phase, 'done');
});

test('a stream table is refused', async () => {
  const other = depsFor({ ...input, tables: { things: {} } }, settings);
  await assert.rejects(load(other).result, (error) => error instanceof TidegateError && error.code === 'UNKNOWN_TABLE');
  await other.clickhouse.close();
});
