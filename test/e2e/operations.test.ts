import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import pg from 'pg';
import { eventually, Home } from './command.ts';

/**
 * One running system, used as an operator would: each test leaves it streaming and equal to its source. The commands are
 * those of README; the changes are made by an ordinary PostgreSQL client.
 */
describe('an operator of a running system', { concurrency: false }, () => {
  const home = new Home();
  let source: pg.Client;

  before(async () => {
    await home.startUntil(
      'npm start --silent -- --only wms --rows 20000 --ports auto --traffic 0',
      'Everything streams',
    );
    source = new pg.Client({ connectionString: home.settings()['WMS_DATABASE_URL'] as string });
    await source.connect();
  });

  after(async () => {
    await source?.end();
    await home[Symbol.asyncDispose]();
  });

  const verify = async (): Promise<void> => {
    const { code, stdout, stderr } = await home.run('npx tidegate verify wms');
    assert.equal(code, 0, stdout + stderr);
  };

  const clickhouse = async <T>(sql: string): Promise<T[]> => {
    const settings = home.settings();
    const response = await fetch(`${settings['CLICKHOUSE_URL']}/?database=wms&default_format=JSONEachRow`, {
      method: 'POST',
      body: sql,
      headers: {
        'X-ClickHouse-User': settings['CLICKHOUSE_USER'] as string,
        'X-ClickHouse-Key': settings['CLICKHOUSE_PASSWORD'] as string,
      },
    });
    const text = await response.text();
    assert.ok(response.ok, text);
    return text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as T);
  };

  /** Inserts, updates and deletes at random, some of them in one transaction. The same seed changes the same rows. */
  const changeAtRandom = async (count: number, seed: number): Promise<void> => {
    await source.query(`SELECT setseed(${seed / 100})`);
    const change = `DO $$ BEGIN FOR i IN 1..${Math.ceil(count / 10)} LOOP
      DELETE FROM stock_balances WHERE (product_id, warehouse_id) IN
        (SELECT product_id, warehouse_id FROM stock_balances OFFSET floor(random() * 15000) LIMIT 2);
      UPDATE stock_balances SET quantity = quantity + 1 + floor(random() * 100)::int WHERE (product_id, warehouse_id) IN
        (SELECT product_id, warehouse_id FROM stock_balances OFFSET floor(random() * 15000) LIMIT 5);
      INSERT INTO stock_balances (product_id, warehouse_id, quantity)
        SELECT 1 + floor(random() * 1000)::int, 1 + floor(random() * 20)::int, floor(random() * 500)::int FROM generate_series(1, 3)
        ON CONFLICT DO NOTHING;
      IF i % 7 = 0 THEN COMMIT; END IF;
    END LOOP; END $$`;
    await source.query(change);
  };

  test('sees 5,000 random changes arrive', async () => {
    await changeAtRandom(5000, 1);
    await verify();
  });

  test('reads in both datasets what the same query gives in PostgreSQL', async () => {
    // In PostgreSQL the balances need no view that hides versions.
    await source.query('CREATE OR REPLACE TEMP VIEW stock_balances_v AS SELECT * FROM stock_balances');
    for (const [file, view] of [
      ['bi_stock_full', 'bi_stock_full'],
      ['absence', 'Остатки (отсутствие)'],
    ] as const) {
      const sql = readFileSync(`pipelines/wms/marts/${file}.sql`, 'utf8');
      const { rows } = await source.query<Record<string, unknown>>(sql);
      const inClickHouse = await clickhouse<Record<string, unknown>>(`SELECT * FROM \`${view}\``);
      const sorted = (some: Record<string, unknown>[]) => some.map((row) => JSON.stringify(row)).sort();
      assert.ok(rows.length > 0);
      assert.deepEqual(sorted(inClickHouse), sorted(rows));
    }
  });

  test('finds a product that was deleted gone after the next load', async () => {
    await source.query('DELETE FROM products WHERE product_id = 7');
    const { code, stdout, stderr } = await home.run('npm run --silent trigger -- load wms.products');
    assert.equal(code, 0, stderr);
    assert.match(stdout, /wms\.products/);
    assert.deepEqual(await clickhouse('SELECT product_id FROM products WHERE product_id = 7'), []);
    await verify();
  });

  test('loses nothing when the connector is deleted and applied again', async () => {
    const url = `${home.settings()['CONNECT_URL']}/connectors/wms.stock_balances`;
    assert.equal((await fetch(url, { method: 'DELETE' })).status, 204);
    await changeAtRandom(500, 2);
    const { code, stderr } = await home.run('npx tidegate apply wms');
    assert.equal(code, 0, stderr);
    await verify();
  });

  test('pauses the stream, changes rows, resumes, and finds them equal', async () => {
    assert.equal((await home.run('npx tidegate pause wms')).code, 0);
    const status = JSON.parse((await home.run('npx tidegate status --json')).stdout);
    assert.equal(status.pipelines.find((each: { pipeline: string }) => each.pipeline === 'wms').phase, 'paused');
    const before = await clickhouse('SELECT sum(quantity) AS total, count() AS rows FROM stock_balances_v');
    await changeAtRandom(500, 3);
    assert.deepEqual(await clickhouse('SELECT sum(quantity) AS total, count() AS rows FROM stock_balances_v'), before);
    const verified = await home.run('npx tidegate verify wms');
    assert.equal(verified.code, 1);
    assert.match(verified.stderr, /the stream of 'wms' is paused, and messages wait.*npx tidegate resume wms/);
    const resumed = await home.run('npx tidegate resume wms');
    assert.equal(resumed.code, 0, resumed.stderr);
    await verify();
  });

  test('kills the worker during the stream and finds everything equal', async () => {
    const changes = changeAtRandom(3000, 4);
    const pid = home.pid('worker');
    process.kill(pid, 'SIGKILL');
    await changes;
    await eventually('a new worker', async () => (home.pid('worker') === pid ? undefined : true));
    await verify();
  });

  test('kills the worker during a load and finds no staging table left after the next', async () => {
    await source.query(
      "INSERT INTO products SELECT 1000000 + n, 'more ' || n, 'more' FROM generate_series(1, 300000) n",
    );
    const pid = home.pid('worker');
    const load = home.run('npm run --silent trigger -- load wms.products');
    const staging = () =>
      clickhouse("SELECT name FROM system.tables WHERE database = 'wms' AND name LIKE 'products\\\\_%'");
    await eventually('the load to begin', async () => ((await staging()).length > 0 ? true : undefined));
    process.kill(pid, 'SIGKILL');
    const { code, stderr } = await load;
    assert.equal(code, 0, stderr);
    assert.deepEqual(await staging(), []);
    await verify();
  });

  test('is told by verify which keys differ, with exit code 1', async () => {
    await clickhouse(
      'INSERT INTO kafka_wms_stock_balances SELECT * REPLACE (quantity + 1 AS quantity, _version + 1 AS _version) ' +
        'FROM kafka_wms_stock_balances FINAL WHERE _deleted = 0 ORDER BY product_id, warehouse_id LIMIT 1',
    );
    const [changed] = await clickhouse<{ product_id: number; warehouse_id: number }>(
      'SELECT product_id, warehouse_id FROM stock_balances_v ORDER BY product_id, warehouse_id LIMIT 1',
    );
    const { code, stdout } = await home.run('npx tidegate verify wms --json');
    assert.equal(code, 1);
    const tables: { table: string; differences: { key: string; kind: string }[] }[] =
      JSON.parse(stdout).pipelines[0].tables;
    const differences = tables.find((each) => each.table === 'stock_balances')?.differences;
    assert.equal(differences?.length, 1);
    assert.equal(differences[0]?.kind, 'different');
    assert.ok(differences[0]?.key.includes(String(changed?.product_id)), differences[0]?.key);
  });

  test('stops everything with Ctrl-C', async () => {
    const pids = ['postgres', 'clickhouse', 'kafka', 'connect', 'temporal', 'worker'].map((name) => home.pid(name));
    await source.end();
    const [child] = home.running();
    assert.ok(child);
    const closed = once(child, 'close');
    Home.signal(child, 'SIGINT');
    await closed;
    for (const pid of pids) assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
  });
});
