/**
 * What dashboards ask of sales, for any time range. The SQL means the same in ClickHouse and in PostgreSQL, so that one
 * can be checked against the other.
 */
export const AGGREGATES = {
  byDay: {
    columns: "date_trunc('day', ordered_at) AS day",
    rest: 'GROUP BY day ORDER BY day',
  },
  byHour: {
    columns: "date_trunc('hour', ordered_at) AS hour",
    rest: 'GROUP BY hour ORDER BY hour',
  },
  byCategory: { columns: 'category', rest: 'GROUP BY category ORDER BY revenue DESC, category' },
  bySeller: {
    columns: 'seller_id, max(seller_name) AS seller',
    rest: 'GROUP BY seller_id ORDER BY revenue DESC, seller_id',
  },
  topProducts: {
    columns: 'product_id, max(product_name) AS product',
    rest: 'GROUP BY product_id ORDER BY revenue DESC, product_id LIMIT 20',
  },
  /** One row; without a sale its averages are those of nothing. */
  total: { columns: "'all' AS total", rest: '' },
  statuses: { columns: 'status', rest: 'GROUP BY status ORDER BY status' },
} as const;

export type AggregateName = keyof typeof AGGREGATES;

/** What was cancelled or came back is no sale; order statuses count all. */
const SOLD = "status NOT IN ('cancelled', 'returned')";

/**
 * @param options.sales name of the table or view of sales, or a subquery with an alias.
 * @param options.from SQL of the range's beginning, which is in it, and of its end (`to`), which is not: parameters.
 * @param options.where a further condition, in SQL.
 */
export function aggregateSql(
  name: AggregateName,
  options: { sales: string; from: string; to: string; where?: string },
): string {
  const { columns, rest } = AGGREGATES[name];
  const { sales, from, to, where } = options;
  const conditions = [`ordered_at >= ${from}`, `ordered_at < ${to}`];
  if (name !== 'statuses') conditions.push(SOLD);
  if (where) conditions.push(where);
  return (
    `SELECT ${columns}, count(*) AS items, count(DISTINCT order_id) AS orders, sum(quantity) AS pieces, ` +
    `sum(amount) AS revenue, CAST(sum(amount) AS double precision) / nullif(count(DISTINCT order_id), 0) AS average_order ` +
    `FROM ${sales} WHERE ${conditions.join(' AND ')} ${rest}`
  ).trim();
}
