import { COPIED, type MartBenchmark } from '../benchmark.ts';
import { AGGREGATES, type AggregateName, aggregateSql, rolledSql } from './aggregates.ts';

/** Ids above those of the source. */
const FIRST = 10_000_000;
const time = (text: string) => `toDateTime64('${text}', 6, 'UTC')`;
const RANGES = {
  'two years': { from: time('2024-01-01 00:00:00'), to: time('2026-01-01 00:00:00') },
  'half a year, to the minute': { from: time('2025-02-03 07:15:00'), to: time('2025-08-14 19:45:00') },
};

export const benchmark: MartBenchmark = {
  fill(rows) {
    const orders = Math.ceil(rows / 2.5);
    const [users, sellers] = [Math.ceil(orders / 5), Math.ceil(Math.sqrt(orders) / 2)];
    const products = sellers * 20;
    const fill = (table: string, count: number, columns: string) =>
      `INSERT INTO ${table}_versions SELECT ${FIRST} + number AS ${columns}, ${COPIED} FROM numbers(${count})`;
    return [
      fill('users', users, "user_id, 'User ' || number, 'City', now64(6)"),
      fill('sellers', sellers, "seller_id, 'Seller ' || number"),
      fill(
        'products',
        products,
        `product_id, 'Product ' || number, 'Category ' || number % 8, ${FIRST} + intHash32(number) % ${sellers}, 1`,
      ),
      fill(
        'orders',
        orders,
        `order_id, ${FIRST} + intHash32(number) % ${users}, ` +
          "arrayElement(['delivered', 'delivered', 'shipped', 'paid', 'cancelled', 'returned'], 1 + number % 6), " +
          `${RANGES['two years'].from} + toIntervalSecond(intHash32(number + 1) % 63158400)`,
      ),
      fill(
        'order_items',
        rows,
        `order_item_id, ${FIRST} + intDiv(number * 2, 5), ` +
          `${FIRST} + toInt32(${products} * pow(intHash32(number + 2) / 4294967296, 2)), 1 + number % 4, ` +
          'toDecimal64(100 + number % 100000, 2) / 100',
      ),
    ];
  },
  mart: { name: 'sales', keys: 'order_items_versions' },
  questions: Object.entries(RANGES).flatMap(([title, range]) =>
    (Object.keys(AGGREGATES) as AggregateName[]).map((name) => ({
      name: `${name}, ${title}`,
      ready: rolledSql(name, range),
      single: aggregateSql(name, { sales: 'sales', ...range }),
    })),
  ),
};
