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

/** The rows of the mart sales_by_day that answer, and what its columns are called in the answer. */
const ROLLED: Record<AggregateName, { dimension: string; columns: string }> = {
  byDay: { dimension: 'hour', columns: "toDateTime64(day, 6, 'UTC') AS day" },
  byHour: { dimension: 'hour', columns: "toDateTime64(day, 6, 'UTC') + toIntervalHour(hour) AS hour" },
  byCategory: { dimension: 'category', columns: 'name AS category' },
  bySeller: { dimension: 'seller', columns: 'id AS seller_id, max(label) AS seller' },
  topProducts: { dimension: 'product', columns: 'id AS product_id, max(label) AS product' },
  total: { dimension: 'hour', columns: "'all' AS total" },
  statuses: { dimension: 'status', columns: 'name AS status' },
};

/** How the rows of the beginning and the end of a range, which are no whole days, become such rows. */
const EDGES: Record<string, { columns: string; group: string }> = {
  hour: { columns: 'toHour(at) AS hour, NULL AS name, NULL AS id, NULL AS label', group: 'hour' },
  category: { columns: '0 AS hour, category AS name, NULL AS id, NULL AS label', group: 'category' },
  seller: { columns: '0 AS hour, NULL AS name, seller_id AS id, max(seller_name) AS label', group: 'seller_id' },
  product: { columns: '0 AS hour, NULL AS name, product_id AS id, max(product_name) AS label', group: 'product_id' },
  status: { columns: '0 AS hour, status AS name, NULL AS id, NULL AS label', group: 'status' },
};

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
    `SELECT ${columns}, count(*) AS items, count(DISTINCT order_id) AS orders, coalesce(sum(quantity), 0) AS pieces, ` +
    `coalesce(sum(amount), 0) AS revenue, CAST(sum(amount) AS double precision) / nullif(count(DISTINCT order_id), 0) AS average_order ` +
    `FROM ${sales} WHERE ${conditions.join(' AND ')} ${rest}`
  ).trim();
}

/**
 * The same answer for ClickHouse from the mart sales_by_day, and from sales only for the hours at both ends of the range.
 * @param options.from SQL of a DateTime64(6, 'UTC'), and of the end (`to`), which is not in the range.
 * @param options.filter further conditions, in SQL: of a `day`; of a row of sales, and when only those can answer (`needed`).
 */
export function rolledSql(
  name: AggregateName,
  options: { from: string; to: string; filter?: { day: string; row: string; needed: string } },
): string {
  const { from, to, filter = { day: 'true', row: 'true', needed: 'false' } } = options;
  const { dimension, columns } = ROLLED[name];
  const edge = EDGES[dimension]!;
  const midnight = (day: string) => `toDateTime64(${day}, 6, 'UTC')`;
  const first = `(toDate32(${from}) + (${from} > ${midnight(`toDate32(${from})`)}))`;
  const last = `toDate32(${to})`;
  const ends =
    `(ordered_at < least(${to}, ${midnight(first)}) ` +
    `OR ordered_at >= greatest(${midnight(first)}, ${midnight(last)}))`;
  const sold = name === 'statuses' ? '' : ` AND ${SOLD}`;
  return (
    `SELECT ${columns}, sum(items) AS items, sum(orders) AS orders, sum(pieces) AS pieces, sum(revenue) AS revenue, ` +
    'toFloat64(revenue) / nullif(orders, 0) AS average_order FROM (' +
    'SELECT day, hour, name, id, label, items, orders, pieces, revenue FROM sales_by_day ' +
    `WHERE dimension = '${dimension}' AND day >= ${first} AND day < ${last} AND ${filter.day} AND NOT (${filter.needed}) ` +
    `UNION ALL SELECT day, ${edge.columns}, count(), uniqExact(order_id), sum(quantity), sum(amount) ` +
    "FROM (SELECT *, assumeNotNull(ordered_at) AS at, toDate(at, 'UTC') AS day FROM sales " +
    `WHERE ordered_at >= ${from} AND ordered_at < ${to} AND (${ends} OR (${filter.needed})) AND ${filter.row}${sold}) ` +
    `GROUP BY day, ${edge.group}) ${AGGREGATES[name].rest}`
  );
}
