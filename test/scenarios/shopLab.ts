import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { MergeResult } from '../../core/mergeTypes.ts';
import { workflowIds } from '../../core/names.ts';
import type { Random } from '../../pipelines/random.ts';
import { AGGREGATES, type AggregateName, aggregateSql, rolledSql } from '../../pipelines/shop/aggregates.ts';
import { dashboard } from '../../pipelines/shop/dashboard.ts';
import { shopTables } from '../../pipelines/shop/data.ts';
import shop from '../../pipelines/shop/pipeline.ts';
import { Scenario, type ScenarioOptions } from './harness.ts';

const folder = new URL('../../pipelines/shop/', import.meta.url);
const file = (name: string) => readFileSync(new URL(name, folder), 'utf8');
const SALES = file('marts/sales.sql');
/** The tables alone: the source of a scenario has its own role. */
const DDL = file('source.sql')
  .match(/CREATE (TABLE|INDEX)[^;]+;/g)!
  .join('\n');
/** The mart's SELECT as PostgreSQL takes it: of all items. */
const IN_POSTGRES = `(${SALES.replace(/SETTINGS .+$/m, '').replace('{keys:Identifier}', 'order_items')}) AS sales`;
const COLUMNS =
  'order_item_id, order_id, status, product_id, product_name, category, seller_id, seller_name, user_id, user_name, quantity, amount';

/** All; some months with hours at both ends; whole days; hours of one day. */
const RANGES = [
  ['1970-01-01 00:00:00+00', '2200-01-01 00:00:00+00'],
  ['2025-03-10 07:00:00+00', '2025-09-01 12:30:00+00'],
  ['2025-03-10 00:00:00+00', '2025-03-12 00:00:00+00'],
  ['2025-06-20 03:15:00+00', '2025-06-20 21:45:00+00'],
] as const;

/** The shop with its marts, and the same questions asked on both sides. */
export class ShopLab implements AsyncDisposable {
  readonly scenario: Scenario;

  private constructor(scenario: Scenario) {
    this.scenario = scenario;
  }

  /** @param options.rows of order_items. */
  static async open(options: Pick<ScenarioOptions, 'label' | 'workers'> & { rows: number }): Promise<ShopLab> {
    const scenario = await Scenario.open({
      ...{ ...options, ddl: DDL, tables: shop.tables, further: { marts: shop.marts }, start: false },
      files: { 'marts/sales.sql': SALES, 'marts/sales_by_day.sql': file('marts/sales_by_day.sql') },
      stream: { partitions: shop.stream!.partitions },
    });
    for (const { name, columns, rows } of shopTables({ rows: options.rows, seed: 3 })) {
      const all = [...rows].map((row) => Object.fromEntries(columns.map((column, index) => [column, row[index]])));
      const sql = `INSERT INTO ${name} SELECT * FROM json_populate_recordset(NULL::${name}, $1)`;
      await scenario.source.owner.query(sql, [JSON.stringify(all)]);
    }
    await scenario.start();
    return new ShopLab(scenario);
  }

  /** Starts or joins a merge for which the inputs are waited for. @returns a way to await its end. */
  async startMerge({ rebuild } = { rebuild: false }): Promise<() => Promise<MergeResult>> {
    const { temporal, name } = this.scenario;
    const id = await temporal.startKeysMerge(name, 'sales', { rebuild });
    return async () => (await temporal.client.workflow.getHandle(id).result()) as MergeResult;
  }

  async merge(options?: { rebuild: boolean }): Promise<MergeResult> {
    return await (await this.startMerge(options))();
  }

  /** Merges again and again, as a schedule would, in the middle of what lands. @returns how often. */
  async mergeUntil(stop: AbortSignal): Promise<number> {
    const { temporal, name } = this.scenario;
    const workflowId = workflowIds.merge(name, 'sales', 'keys');
    let merges = 0;
    for (; !stop.aborted; merges++) {
      const args = [name, 'sales', { keys: true }];
      await temporal.client.workflow.execute('mergeMart', { workflowId, args, taskQueue: 'batch' });
    }
    return merges;
  }

  /** Merges what is committed by now; then sales and all aggregates equal the same SQL in PostgreSQL. */
  async compare(what = ''): Promise<MergeResult> {
    const result = await this.merge();
    await this.assertEqual(what);
    return result;
  }

  async assertEqual(what = ''): Promise<void> {
    const { name, source, clickhouse } = this.scenario;
    const settings = { database: name };
    const select = (sales: string) => `SELECT ${COLUMNS} FROM ${sales} ORDER BY order_item_id`;
    const expected = (await source.admin.query(select(IN_POSTGRES))).rows.map(plain);
    const held = (await clickhouse.rows<Record<string, unknown>>(select('sales'), { settings })).map(plain);
    assert.deepEqual(held, expected, what);
    for (const aggregate of Object.keys(AGGREGATES) as AggregateName[]) {
      for (const [from, to] of RANGES) {
        const parts = { from: `'${from}'::timestamptz`, to: `'${to}'::timestamptz` };
        const wanted = (await source.admin.query(aggregateSql(aggregate, { sales: IN_POSTGRES, ...parts }))).rows;
        const range = { from: time(from), to: time(to) };
        for (const sql of [aggregateSql(aggregate, { sales: 'sales', ...range }), rolledSql(aggregate, range)]) {
          const rows = await clickhouse.rows<Record<string, unknown>>(sql, { settings });
          assert.deepEqual(rows.map(plain), wanted.map(plain), `${what}: ${aggregate} from ${from} to ${to}: ${sql}`);
        }
      }
    }
  }

  /** The dashboard's queries answer as PostgreSQL does, with and without filters. */
  async assertDashboard(): Promise<void> {
    const { name, source, clickhouse } = this.scenario;
    const filters = [
      { months: [], categories: [], sellers: [] },
      { months: ['2025-03', '2025-04'], categories: [], sellers: [] },
      { months: ['2025-04'], categories: ['Books', 'Toys'], sellers: [1, 2, 3, 4, 5, 6] },
    ];
    const params = [`'1970-01-01'::timestamptz`, `'2100-01-01'::timestamptz`];
    for (const { months, categories, sellers } of filters) {
      const list = (values: readonly unknown[]) => values.map((value) => `'${value}'`).join(', ');
      const where = [
        ...(months.length > 0 ? [`to_char(ordered_at AT TIME ZONE 'UTC', 'YYYY-MM') IN (${list(months)})`] : []),
        ...(categories.length > 0 ? [`category IN (${list(categories)})`, `seller_id IN (${list(sellers)})`] : []),
        'true',
      ].join(' AND ');
      for (const query of dashboard.queries) {
        const aggregate = query.name === 'totals' ? 'total' : (query.name as AggregateName);
        const asked = aggregateSql(aggregate, { sales: IN_POSTGRES, from: params[0]!, to: params[1]!, where });
        const wanted = (await source.admin.query(asked)).rows.map(plain);
        const rows = await clickhouse.rows<Record<string, unknown>>(query.sql, {
          ...{ settings: { database: name }, params: { months, categories, sellers } },
        });
        assert.deepEqual(rows.map(plain), wanted, `${query.name}, ${where}`);
      }
    }
    for (const { sql } of dashboard.filters) {
      assert.ok((await clickhouse.rows(sql, { settings: { database: name } })).length > 0);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.scenario[Symbol.asyncDispose]();
  }
}

const time = (text: string) => `toDateTime64('${text.slice(0, 19)}', 6, 'UTC')`;

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

/**
 * One change of any of the five tables, in no order that a shop would keep: items before their orders and products, rows
 * that come again under an old key, items and orders that move, names that change, rows that go.
 */
export function anyChange(random: Random): string {
  const id = () => random.between(1, 60);
  const far = () => 900_000 + id();
  const known = () => (random.chance(0.7) ? random.between(1, 200) : far());
  const at = () => new Date(Date.UTC(2025, 2, 10) + random.between(0, 200 * 86_400) * 1000).toISOString();
  const status = () => random.pick(['new', 'paid', 'shipped', 'delivered', 'cancelled', 'returned']);
  const upsert = (table: string, key: string, columns: Record<string, string | number>) => {
    const values = Object.values(columns).map((value) => (typeof value === 'string' ? `'${value}'` : value));
    const set = Object.keys(columns).map((name) => `${name} = excluded.${name}`);
    return `INSERT INTO ${table} (${Object.keys(columns).join(', ')}) VALUES (${values.join(', ')})
      ON CONFLICT (${key}) DO UPDATE SET ${set.join(', ')}`;
  };
  const price = () => random.between(1, 99_999) / 100;
  const changes: (() => string)[] = [
    () =>
      upsert('order_items', 'order_item_id', {
        ...{
          order_item_id: far(),
          order_id: known(),
          product_id: known(),
          quantity: random.between(1, 5),
          price: price(),
        },
      }),
    () => upsert('orders', 'order_id', { order_id: far(), user_id: known(), status: status(), ordered_at: at() }),
    () => {
      const name = `product ${random.between(1, 1e6)}`;
      const category = random.pick(['Books', 'Toys', 'Late']);
      return upsert('products', 'product_id', {
        ...{ product_id: known(), product_name: name, category, seller_id: known(), price: price() },
      });
    },
    () => upsert('sellers', 'seller_id', { seller_id: known(), seller_name: `seller ${random.between(1, 1e6)}` }),
    () =>
      upsert('users', 'user_id', {
        ...{ user_id: known(), user_name: `user ${random.between(1, 1e6)}`, city: 'x', registered_at: at() },
      }),
    () => `UPDATE orders SET status = '${status()}' WHERE order_id = ${known()}`,
    () => `UPDATE orders SET ordered_at = '${at()}', user_id = ${known()} WHERE order_id = ${known()}`,
    () => `UPDATE order_items SET order_id = ${known()} WHERE order_item_id = ${known()}`,
    () => `UPDATE order_items SET product_id = ${known()}, quantity = 9 WHERE order_item_id = ${known()}`,
    () => `UPDATE order_items SET order_item_id = ${910_000 + random.between(1, 1e6)} WHERE order_item_id = ${known()}`,
    () => `DELETE FROM order_items WHERE order_item_id = ${known()}`,
    () => `DELETE FROM orders WHERE order_id = ${known()}`,
    () => `DELETE FROM products WHERE product_id = ${known()}`,
    () => `DELETE FROM sellers WHERE seller_id = ${known()}`,
    () => `DELETE FROM users WHERE user_id = ${known()}`,
  ];
  return random.pick(changes)();
}
