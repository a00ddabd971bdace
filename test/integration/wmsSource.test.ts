import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type pg from 'pg';
import { connectPostgres } from '../../adapters/postgres.ts';
import type { CreatedSource, TrafficProgress } from '../../pipelines/generator.ts';
import { generator } from '../../pipelines/wms/generator.ts';
import { type RunningStack, startStack } from '../../stack/stack.ts';

/** On a PostgreSQL of its own: the role `debezium` belongs to a whole server, and one test restarts it. */
const home = mkdtempSync(join(tmpdir(), 'wms-source-'));
const open = (url: URL) => connectPostgres(url, { applicationName: 'wms source test' });
const passwords = { ownerPassword: `o'w\\n /?#@%`, capturePassword: `c"a'p :;` };
const DEADLINE_MS = 60_000;
let stack: RunningStack;
let created: CreatedSource;
let owner: pg.Client;

before(async () => {
  stack = await startStack({ home, ports: 'auto', services: ['postgres'] });
  created = await create();
  owner = await open(new URL(created.env['WMS_DATABASE_URL']!));
});

after(async () => {
  await owner?.end();
  await stack?.stop();
  rmSync(home, { recursive: true, force: true });
});

function create(): Promise<CreatedSource> {
  const admin = new URL(stack.env['POSTGRES_URL']!);
  return generator.create({
    open,
    admin,
    database: 'wms',
    folder: join(home, 'csv'),
    rows: 3600,
    seed: 1,
    ...passwords,
  });
}

async function one<T>(client: pg.Client, sql: string): Promise<T> {
  return (await client.query(sql)).rows[0] as T;
}

test('an empty source is filled from CSV files that stay', async () => {
  const rows = { regions: 6, warehouses: 20, products: 200, stock_balances: 3600 };
  assert.deepEqual([created.generated, created.rows], [true, rows]);
  const files = ['products.csv', 'regions.csv', 'stock_balances.csv', 'warehouses.csv'];
  assert.deepEqual(readdirSync(join(home, 'csv')).sort(), files);
  assert.deepEqual(await one(owner, 'SELECT count(*)::int AS n FROM stock_balances'), { n: 3600 });
});

test('creating a source again changes nothing in it', async () => {
  await owner.query('DELETE FROM stock_balances WHERE product_id = 1 AND warehouse_id IN (1, 2, 3, 4)');
  const before = await one<{ n: number }>(owner, 'SELECT count(*)::int AS n FROM stock_balances');
  const again = await create();
  assert.deepEqual([again.generated, again.rows['stock_balances']], [false, before.n]);
  assert.deepEqual(again.env, created.env);
});

test('the owner is no superuser, and may publish its tables', async () => {
  const role = await one(
    owner,
    'SELECT rolsuper, rolreplication, rolcreaterole FROM pg_roles WHERE rolname = current_user',
  );
  assert.deepEqual(role, { rolsuper: false, rolreplication: false, rolcreaterole: false });
  await owner.query('CREATE PUBLICATION owned FOR TABLE stock_balances');
  await owner.query('DROP PUBLICATION owned');
});

test('the capture role may log in, replicate and read the four tables, and nothing else', async () => {
  const capture = await open(new URL(created.env['WMS_CAPTURE_URL']!));
  try {
    const role = await one(
      capture,
      `SELECT rolname, rolcanlogin, rolreplication, rolsuper, rolcreatedb, rolcreaterole, rolbypassrls
       FROM pg_roles WHERE rolname = current_user`,
    );
    const none = { rolsuper: false, rolcreatedb: false, rolcreaterole: false, rolbypassrls: false };
    assert.deepEqual(role, { rolname: 'debezium', rolcanlogin: true, rolreplication: true, ...none });
    const database = await one(
      capture,
      `SELECT has_database_privilege('wms', 'CONNECT') AS connect, has_database_privilege('wms', 'CREATE') AS create,
              has_database_privilege('wms', 'TEMPORARY') AS temporary, has_schema_privilege('public', 'CREATE') AS schema,
              (SELECT count(*)::int FROM pg_auth_members WHERE member = current_user::regrole) AS memberships`,
    );
    assert.deepEqual(database, { connect: true, create: false, temporary: false, schema: false, memberships: 0 });
    const { rows } = await capture.query(
      `SELECT table_name || ':' || privilege_type AS granted FROM information_schema.role_table_grants
       WHERE grantee = 'debezium' ORDER BY 1`,
    );
    const tables = ['products', 'regions', 'stock_balances', 'warehouses'];
    assert.deepEqual(
      rows.map(({ granted }) => granted),
      tables.map((table) => `${table}:SELECT`),
    );
    await assert.rejects(capture.query('UPDATE stock_balances SET quantity = 1'), /permission denied/);
    // What Debezium's heartbeat does needs no grant.
    await capture.query("SELECT pg_logical_emit_message(true, 'tidegate', '')");
  } finally {
    await capture.end();
  }
});

test('updated_at follows every change, and keeps a value that the change itself sets', async () => {
  const fresh = async () => {
    const age = 'clock_timestamp() - updated_at';
    const sql = `SELECT min(${age}) < '1 h' AS some, max(${age}) < '1 h' AS all FROM stock_balances WHERE product_id = 2`;
    return one(owner, sql);
  };
  assert.deepEqual(await fresh(), { some: false, all: false });
  await owner.query('UPDATE stock_balances SET quantity = quantity + 1 WHERE product_id = 2');
  assert.deepEqual(await fresh(), { some: true, all: true });
  await owner.query("UPDATE stock_balances SET updated_at = '2020-02-02Z' WHERE product_id = 2");
  assert.deepEqual(await fresh(), { some: false, all: false });
});

test('traffic inserts, updates and deletes, goes on after a restart of PostgreSQL, and stops at once', async () => {
  const url = new URL(created.env['WMS_DATABASE_URL']!);
  const stop = new AbortController();
  const deadline = AbortSignal.timeout(DEADLINE_MS);
  let seen: TrafficProgress | undefined;
  let lost = false;
  let changed = (): void => undefined;
  const onProgress = (progress: TrafficProgress): void => {
    lost ||= seen?.connected === true && !progress.connected;
    seen = progress;
    changed();
  };
  const until = async (condition: (progress: TrafficProgress) => boolean): Promise<void> => {
    while (!seen || !condition(seen)) {
      deadline.throwIfAborted();
      const next = Promise.withResolvers<void>();
      changed = next.resolve;
      deadline.addEventListener('abort', () => next.resolve(), { once: true });
      await next.promise;
    }
  };
  const options = {
    open,
    url,
    ratePerSecond: 500,
    seed: 1,
    signal: AbortSignal.any([stop.signal, deadline]),
    onProgress,
  };
  const running = generator.traffic(options);
  await until(({ inserted, updated, deleted }) => inserted > 0 && updated > 0 && deleted > 0);
  await owner.end();
  await stack.restart('postgres');
  await until(() => lost);
  const before = seen?.transactions ?? 0;
  await until(({ connected, transactions }) => connected && transactions > before);
  stop.abort();
  const total = await running;
  assert.ok(!deadline.aborted && total.transactions > before && !total.connected);
  owner = await open(url);
  assert.deepEqual(await one(owner, 'SELECT count(*)::int AS n FROM stock_balances WHERE quantity < 0'), { n: 0 });
});

test('traffic ends when it is stopped while PostgreSQL does not answer', async () => {
  const stop = new AbortController();
  const silent = () => new Promise<never>(() => undefined);
  const url = new URL('postgres://127.0.0.1/wms');
  const running = generator.traffic({ open: silent, url, signal: stop.signal });
  stop.abort();
  assert.deepEqual(await running, { transactions: 0, inserted: 0, updated: 0, deleted: 0, connected: false });
});

test('traffic fails when it is refused, instead of trying for ever', async () => {
  const url = new URL(created.env['WMS_DATABASE_URL']!);
  url.password = 'wrong';
  await assert.rejects(generator.traffic({ open, url, signal: AbortSignal.timeout(DEADLINE_MS) }), {
    code: 'ACCESS_DENIED',
  });
});
