import type pg from 'pg';
import type { RowChanges } from '../generator.ts';
import { Random } from '../random.ts';
import type { TrafficWork } from '../traffic.ts';

interface Stock {
  products: number[];
  warehouses: number[];
}

interface Line {
  product: number;
  warehouse: number;
  quantity: number;
}

const NOTHING: RowChanges = { inserted: 0, updated: 0, deleted: 0 };
/** Products that traffic chooses from: enough for variety, and of one size in memory. */
const MOST_PRODUCTS = 100_000;

/** A working day in the warehouses: mostly shipments, with receipts, orders, transfers and goods that are dropped. */
export function stockTraffic(seed: number): TrafficWork<Stock> {
  const random = new Random(seed);
  return {
    async begin(client) {
      const products = await ids(client, `SELECT product_id AS id FROM products ORDER BY 1 LIMIT ${MOST_PRODUCTS}`);
      const warehouses = await ids(client, 'SELECT warehouse_id AS id FROM warehouses ORDER BY 1');
      return { products, warehouses };
    },

    async transaction(client, stock) {
      if (stock.products.length === 0 || stock.warehouses.length === 0) return NOTHING;
      const kind = random.next();
      if (kind < 0.5) return ship(client, lineOf(stock, random));
      if (kind < 0.7) return receive(client, [lineOf(stock, random)]);
      if (kind < 0.8) return receive(client, delivery(stock, random));
      if (kind < 0.9) return order(client, delivery(stock, random));
      if (kind < 0.95) return transfer(client, { stock, random });
      return drop(client, lineOf(stock, random));
    },
  };
}

async function ids(client: pg.Client, sql: string): Promise<number[]> {
  const { rows } = await client.query<{ id: number }>(sql);
  return rows.map(({ id }) => id);
}

function lineOf({ products, warehouses }: Stock, random: Random): Line {
  return { product: random.pick(products), warehouse: random.pick(warehouses), quantity: random.between(1, 20) };
}

/** Several products of one warehouse, in the order of their keys, so that two sessions never wait for each other. */
function delivery({ products, warehouses }: Stock, random: Random): Line[] {
  const warehouse = random.pick(warehouses);
  const chosen = random.some(products, random.between(2, 12)).sort((a, b) => a - b);
  return chosen.map((product) => ({ product, warehouse, quantity: random.between(1, 100) }));
}

/** Takes pieces out, if there are that many. */
async function ship(client: pg.Client, { product, warehouse, quantity }: Line): Promise<RowChanges> {
  const { rowCount } = await client.query(
    `UPDATE stock_balances SET quantity = quantity - $3
     WHERE product_id = $1 AND warehouse_id = $2 AND quantity >= $3`,
    [product, warehouse, quantity],
  );
  return { ...NOTHING, updated: rowCount ?? 0 };
}

/** Adds pieces, as new rows where there were none. */
async function receive(client: pg.Client, lines: readonly Line[]): Promise<RowChanges> {
  // A row version that was just inserted has never been locked or replaced: its xmax is 0.
  const { rows } = await client.query<{ fresh: boolean }>(
    `INSERT INTO stock_balances AS stock (product_id, warehouse_id, quantity)
     SELECT * FROM unnest($1::int[], $2::int[], $3::int[])
     ON CONFLICT (product_id, warehouse_id) DO UPDATE SET quantity = stock.quantity + excluded.quantity
     RETURNING xmax = 0 AS fresh`,
    [lines.map((line) => line.product), lines.map((line) => line.warehouse), lines.map((line) => line.quantity)],
  );
  const inserted = rows.filter(({ fresh }) => fresh).length;
  return { ...NOTHING, inserted, updated: rows.length - inserted };
}

/** A customer's order: several products of one warehouse, all at once. */
async function order(client: pg.Client, lines: readonly Line[]): Promise<RowChanges> {
  return inOneTransaction(client, async () => {
    let updated = 0;
    for (const line of lines) updated += (await ship(client, line)).updated;
    return { ...NOTHING, updated };
  });
}

/** Moves pieces of one product from one warehouse to another, if there are that many. */
async function transfer(client: pg.Client, { stock, random }: { stock: Stock; random: Random }): Promise<RowChanges> {
  const line = lineOf(stock, random);
  const [from, to] = random.some(stock.warehouses, 2).sort((a, b) => a - b);
  if (from === undefined || to === undefined) return NOTHING;
  return inOneTransaction(client, async () => {
    const { updated } = await ship(client, { ...line, warehouse: from });
    if (updated === 0) return NOTHING;
    const received = await receive(client, [{ ...line, warehouse: to }]);
    return { ...received, updated: received.updated + updated };
  });
}

/** The product is no longer kept in the warehouse. */
async function drop(client: pg.Client, { product, warehouse }: Line): Promise<RowChanges> {
  const { rowCount } = await client.query('DELETE FROM stock_balances WHERE product_id = $1 AND warehouse_id = $2', [
    product,
    warehouse,
  ]);
  return { ...NOTHING, deleted: rowCount ?? 0 };
}

async function inOneTransaction(client: pg.Client, work: () => Promise<RowChanges>): Promise<RowChanges> {
  await client.query('BEGIN');
  const changes = await work();
  await client.query('COMMIT');
  return changes;
}
