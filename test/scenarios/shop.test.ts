import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, suite, test } from 'node:test';
import type { MergeResult } from '../../core/mergeTypes.ts';
import { AGGREGATES, type AggregateName, aggregateSql, rolledSql } from '../../pipelines/shop/aggregates.ts';
import { shopTables } from '../../pipelines/shop/data.ts';
import shop from '../../pipelines/shop/pipeline.ts';
import { shopTraffic } from '../../pipelines/shop/traffic.ts';
import { Scenario } from './harness.ts';

const folder = new URL('../../pipelines/shop/', import.meta.url);
const SALES = readFileSync(new URL('marts/sales.sql', folder), 'utf8');
const BY_DAY = readFileSync(new URL('marts/sales_by_day.sql', folder), 'utf8');
/** The tables alone: the source of a scenario has its own role. */
const DDL = readFileSync(new URL('source.sql', folder), 'utf8')
  .match(/CREATE (TABLE|INDEX)[^;]+;/g)!
  .join('\n');
const SETTINGS = /SETTINGS .+$/m;

const RANGES = [
  ['1970-01-01 00:00:00+00', '2200-01-01 00:00:00+00'],
  ['2025-03-10 07:00:00+00', '2025-09-01 12:30:00+00'],
  ['2025-03-10 00:00:00+00', '2025-03-12 00:00:00+00'],
  ['2025-06-20 03:15:00+00', '2025-06-20 21:45:00+00'],
] as const;

suite('sales of a shop equal the same SQL in PostgreSQL', () => {
  let scenario: Scenario;

  before(async () => {
    scenario = await Scenario.open({
      ...{
        label: 'shop',
        ddl: DDL,
        tables: shop.tables,
        further: { marts: shop.marts },
        files: { 'marts/sales.sql': SALES, 'marts/sales_by_day.sql': BY_DAY },
        stream: { partitions: shop.stream!.partitions },
        start: false,
      },
    });
    for (const { name, columns, rows } of shopTables({ rows: 1500, seed: 3 })) {
      const all = [...rows];
      await scenario.source.owner.query(
        `INSERT INTO ${name} SELECT * FROM json_populate_recordset(NULL::${name}, $1)`,
        [JSON.stringify(all.map((row) => Object.fromEntries(columns.map((column, index) => [column, row[index]]))))],
      );
    }
    await scenario.start();
  });
  after(() => scenario?.[Symbol.asyncDispose]());

  async function compare(): Promise<void> {
    await scenario.assertEqual();
    const { name, source, clickhouse } = scenario;
    await merged(scenario);
    const inPostgres = `(${SALES.replace(SETTINGS, '').replace('{keys:Identifier}', 'order_items')}) AS sales`;
    const inClickHouse = 'sales';
    const settings = { database: name };
    const columns =
      'order_item_id, order_id, status, product_id, product_name, category, seller_name, user_name, quantity';
    const select = (sales: string) => `SELECT ${columns}, amount FROM ${sales} ORDER BY order_item_id`;
    const expected = await source.admin.query(select(inPostgres));
    const actual = await clickhouse.rows<Record<string, unknown>>(select(inClickHouse), { settings });
    assert.ok(expected.rows.length > 1000);
    assert.deepEqual(actual.map(plain), expected.rows.map(plain));
    for (const aggregate of Object.keys(AGGREGATES) as AggregateName[]) {
      for (const [from, to] of RANGES) {
        const parts = { from: `'${from}'::timestamptz`, to: `'${to}'::timestamptz` };
        const one = await source.admin.query(aggregateSql(aggregate, { sales: inPostgres, ...parts }));
        const time = (text: string) => `toDateTime64('${text.slice(0, 19)}', 6, 'UTC')`;
        const range = { from: time(from), to: time(to) };
        assert.ok(one.rows.length > 0, aggregate);
        for (const sql of [aggregateSql(aggregate, { sales: inClickHouse, ...range }), rolledSql(aggregate, range)]) {
          const other = await clickhouse.rows<Record<string, unknown>>(sql, { settings });
          assert.deepEqual(other.map(plain), one.rows.map(plain), `${aggregate} from ${from} to ${to}: ${sql}`);
        }
      }
    }
  }

  test('after the copy', compare);

  test('after orders, status changes, renames and deletes, at every quiet point', async () => {
    const work = shopTraffic(11);
    const client = await scenario.source.connect();
    try {
      const state = await work.begin(client);
      for (let round = 0; round < 3; round++) {
        for (let i = 0; i < 150; i++) await work.transaction(client, state);
        await compare();
      }
    } finally {
      await client.end();
    }
  });

  test('after items that arrive before their orders, products and users', async () => {
    await scenario.sql(
      'INSERT INTO order_items VALUES (900001, 900001, 90001, 2, 10.50), (900002, 900001, 90002, 1, 3.25)',
    );
    await compare();
    await scenario.sql("INSERT INTO orders VALUES (900001, 90001, 'paid', '2025-05-05 05:05:05Z')");
    await compare();
    await scenario.sql(`INSERT INTO products VALUES (90001, 'late', 'Late', 90001, 1);
      INSERT INTO sellers VALUES (90001, 'late seller'); INSERT INTO users VALUES (90001, 'late user', 'x', now())`);
    await compare();
    await scenario.sql("UPDATE products SET product_name = 'renamed', category = 'Toys' WHERE product_id = 90001");
    await compare();
  });
});

async function merged({ temporal, name }: Scenario, rebuild = false): Promise<MergeResult> {
  const id = await temporal.startKeysMerge(name, 'sales', { rebuild });
  return (await temporal.client.workflow.getHandle(id).result()) as MergeResult;
}

/** Numbers as numbers, to a millionth; times to the hour. */
function plain(row: Record<string, unknown>): Record<string, unknown> {
  const value = (each: unknown, name: string) => {
    if (name === 'day' || name === 'hour') {
      const text = each instanceof Date ? each.toISOString() : String(each);
      return text.replace(' ', 'T').padEnd(13, 'T00').slice(0, 13);
    }
    if (each === null || !['string', 'number'].includes(typeof each) || Number.isNaN(Number(each))) return each;
    return Math.round(Number(each) * 1e6) / 1e6;
  };
  return Object.fromEntries(Object.entries(row).map(([name, each]) => [name, value(each, name)]));
}
