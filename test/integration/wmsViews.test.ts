import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import type pg from 'pg';
import { ClickHouse } from '../../adapters/clickhouse.ts';
import { loadEnvironment } from '../../adapters/environment.ts';
import { connectPostgres } from '../../adapters/postgres.ts';
import { chIdentifier, chTable, pgIdentifier } from '../../core/identifiers.ts';
import { dashboard } from '../../pipelines/wms/dashboard.ts';
import definition from '../../pipelines/wms/pipeline.ts';

/** The datasets of wms: the very same SQL is run by both databases, over the same rows put there by hand. */
const environment = loadEnvironment();
const database = `wms_views_${process.pid}`;
const clickhouse = ClickHouse.from(environment);
const inDatabase = { settings: { database } };
let postgres: pg.Client | undefined;

/** What the catalogues do not know: product 9, warehouse 8, region 7; warehouse 4 has no region. */
const ROWS: Record<string, string> = {
  regions: "(1, 'Север'), (2, 'Юг')",
  warehouses: "(1, 'Склад А', 1), (2, 'Склад Б', 2), (3, 'Склад В', 7), (4, 'Склад Г', NULL)",
  products: "(1, 'Дрель', 'Инструмент'), (2, 'Обои', 'Отделка'), (3, 'Плед', 'Текстиль')",
  stock_balances: '(1, 1, 5), (1, 2, 0), (2, 1, 1), (2, 3, 7), (3, 4, -2), (1, 8, 3), (9, 1, 4), (9, 8, 0)',
};

before(async () => {
  const admin = environment.url('POSTGRES_URL');
  const server = await connectPostgres(admin, { applicationName: 'wms views test' });
  await server.query(`CREATE DATABASE ${pgIdentifier(database)}`);
  await server.end();
  admin.pathname = `/${database}`;
  postgres = await connectPostgres(admin, { applicationName: 'wms views test' });
  await postgres.query(`
    CREATE TABLE regions (region_id int, region_name text);
    CREATE TABLE warehouses (warehouse_id int, warehouse_name text, region_id int);
    CREATE TABLE products (product_id int, product_name text, product_category text);
    CREATE TABLE stock_balances (product_id int, warehouse_id int, quantity int);
    CREATE VIEW stock_balances_v AS SELECT * FROM stock_balances`);
  await clickhouse.command(`CREATE DATABASE ${chIdentifier(database)}`);
  for (const sql of [
    'CREATE TABLE regions (region_id Int32, region_name String) ENGINE = MergeTree ORDER BY region_id',
    `CREATE TABLE warehouses (warehouse_id Int32, warehouse_name String, region_id Nullable(Int32))
     ENGINE = MergeTree ORDER BY warehouse_id`,
    `CREATE TABLE products (product_id Int32, product_name String, product_category String)
     ENGINE = MergeTree ORDER BY product_id`,
    `CREATE TABLE stock_balances (product_id Int32, warehouse_id Int32, quantity Int32)
     ENGINE = MergeTree ORDER BY (product_id, warehouse_id)`,
    'CREATE VIEW stock_balances_v AS SELECT * FROM stock_balances',
  ]) {
    await clickhouse.command(sql, inDatabase);
  }
  for (const [table, rows] of Object.entries(ROWS)) {
    await postgres.query(`INSERT INTO ${table} VALUES ${rows}`);
    await clickhouse.command(`INSERT INTO ${table} VALUES ${rows}`, inDatabase);
  }
  for (const { name, file } of definition.views ?? []) {
    const view = chTable({ database, name });
    await clickhouse.command(
      `CREATE OR REPLACE VIEW ${view} AS ${sqlOf(file).trim()} COMMENT 'as apply does'`,
      inDatabase,
    );
  }
});

after(async () => {
  await postgres?.end();
  const server = await connectPostgres(environment.url('POSTGRES_URL'), { applicationName: 'wms views test' });
  await server.query(`DROP DATABASE IF EXISTS ${pgIdentifier(database)} WITH (FORCE)`);
  await server.end();
  await clickhouse.command(`DROP DATABASE IF EXISTS ${chIdentifier(database)}`);
  await clickhouse.close();
});

type Row = Record<string, string | number>;

function sqlOf(file: string): string {
  return readFileSync(new URL(`../../pipelines/wms/${file}`, import.meta.url), 'utf8');
}

/** Rows as text in one order, so that two databases can be compared. */
function sorted(rows: Row[]): string[] {
  return rows.map((row) => JSON.stringify(row)).sort();
}

async function fromView(name: string, settings: Record<string, number> = {}): Promise<Row[]> {
  return clickhouse.rows<Row>(`SELECT * FROM ${chTable({ database, name })}`, { settings });
}

for (const { name, file } of definition.views ?? []) {
  test(`${name}: ClickHouse's view and PostgreSQL give the same rows`, async () => {
    const expected = sorted((await postgres!.query<Row>(sqlOf(file))).rows);
    assert.deepEqual(sorted(await fromView(name)), expected);
  });

  test(`${name}: a reader whose joins yield NULL sees the same rows`, async () => {
    assert.deepEqual(sorted(await fromView(name, { join_use_nulls: 1 })), sorted(await fromView(name)));
  });
}

test('bi_stock_full has every balance, and says what the catalogues do not know', async () => {
  const rows = await fromView('bi_stock_full');
  assert.equal(rows.length, 8);
  const of = (product: number, warehouse: number) =>
    rows.find((row) => row['id товара'] === product && row['id склада'] === warehouse);
  assert.deepEqual(of(2, 1), {
    'id склада': 1,
    склад: 'Склад А',
    'id региона': 1,
    регион: 'Север',
    'id товара': 2,
    товар: 'Обои',
    матрица: 'Отделка',
    'остаток, шт.': 1,
  });
  const unknown = '-- не определено --';
  assert.deepEqual(of(9, 8), {
    'id склада': 8,
    склад: unknown,
    'id региона': 0,
    регион: unknown,
    'id товара': 9,
    товар: unknown,
    матрица: unknown,
    'остаток, шт.': 0,
  });
  assert.deepEqual([of(2, 3)?.['склад'], of(2, 3)?.['id региона'], of(2, 3)?.['регион']], ['Склад В', 0, unknown]);
  assert.deepEqual([of(3, 4)?.['склад'], of(3, 4)?.['id региона'], of(3, 4)?.['регион']], ['Склад Г', 0, unknown]);
});

test('Остатки (отсутствие) has every known pair without stock: no row, quantity 0 or below', async () => {
  const rows = await fromView('Остатки (отсутствие)');
  const pairs = rows.map((row) => `${row['id товара']}@${row['id склада']}`).sort();
  assert.deepEqual(pairs, ['1@2', '1@3', '1@4', '2@2', '2@4', '3@1', '3@2', '3@3', '3@4']);
  assert.deepEqual(Object.keys(rows[0] ?? {}), Object.keys((await fromView('bi_stock_full'))[0] ?? {}));
});

test('each query of the dashboard runs without a filter, and keeps to the one it is given', async () => {
  const all = { regions: [], warehouses: [], categories: [] };
  for (const { name, sql } of dashboard.queries) {
    const rows = await clickhouse.rows<Row>(sql, { ...inDatabase, params: all });
    assert.ok(rows.length > 0, name);
    const none = await clickhouse.rows<Row>(sql, { ...inDatabase, params: { ...all, categories: ['нет такой'] } });
    assert.ok(none.length === 0 || name === 'totals', name);
  }
  for (const { name, sql } of dashboard.filters) {
    assert.ok((await clickhouse.rows(sql, inDatabase)).length > 0, name);
  }
});

test('the totals of the dashboard count what is in stock and what is absent', async () => {
  const { sql } = dashboard.queries.find(({ name }) => name === 'totals')!;
  const of = async (params: object) => {
    const all = { regions: [], warehouses: [], categories: [], ...params };
    return (await clickhouse.rows<Row>(sql, { ...inDatabase, params: all }))[0];
  };
  assert.deepEqual(await of({}), { pieces: '18', products: '3', warehouses: '3', absent: '9' });
  assert.deepEqual(await of({ regions: [2] }), { pieces: '0', products: '0', warehouses: '0', absent: '3' });
  assert.deepEqual(await of({ warehouses: [1], categories: ['Отделка'] }), {
    pieces: '1',
    products: '1',
    warehouses: '1',
    absent: '0',
  });
});

test("each query of Grafana's stock dashboard runs", async () => {
  const file = new URL('../../deploy/grafana/dashboards/stock.json', import.meta.url);
  const { panels, templating }: GrafanaDashboard = JSON.parse(readFileSync(file, 'utf8'));
  const chosen: Record<string, string> = {};
  for (const { name, query } of templating.list) {
    const values = (await clickhouse.rows<Row>(query, inDatabase)).flatMap((row) => Object.values(row));
    assert.ok(values.length > 0, name);
    chosen[name] = values.map((value) => `'${value}'`).join(', ');
  }
  for (const { title, targets } of panels) {
    const sql = targets[0]?.rawSql.replaceAll(/\$\{(\w+):singlequote\}/g, (_, name: string) => chosen[name] ?? '');
    assert.ok((await clickhouse.rows(sql ?? '', inDatabase)).length > 0, title);
  }
});

interface GrafanaDashboard {
  templating: { list: { name: string; query: string }[] };
  panels: { title: string; targets: { rawSql: string }[] }[];
}
