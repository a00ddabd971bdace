import type pg from 'pg';
import type { RowChanges } from '../generator.ts';
import { Random } from '../random.ts';
import type { TrafficWork } from '../traffic.ts';

interface Shop {
  users: number;
  products: number;
  sellers: number;
}

const NOTHING: RowChanges = { inserted: 0, updated: 0, deleted: 0 };

/** Orders that come in and go their way, some of them back; names that change; users and products that go. */
export function shopTraffic(seed: number): TrafficWork<Shop> {
  const random = new Random(seed);
  return {
    async begin(client) {
      const { rows } = await client.query<Shop>(
        `SELECT (SELECT coalesce(max(user_id), 1) FROM users) AS users,
           (SELECT coalesce(max(product_id), 1) FROM products) AS products,
           (SELECT coalesce(max(seller_id), 1) FROM sellers) AS sellers`,
      );
      return rows[0]!;
    },

    async transaction(client, shop) {
      const kind = random.next();
      if (kind < 0.45) return order(client, shop, random);
      if (kind < 0.955) return proceed(client, random);
      // Names change seldom: each takes everything along that was sold under it.
      if (kind < 0.965) return renameProduct(client, shop, random);
      if (kind < 0.966)
        return update(client, "UPDATE sellers SET seller_name = seller_name || '*' WHERE seller_id = $1", [
          random.between(1, shop.sellers),
        ]);
      if (kind < 0.985)
        return update(client, "UPDATE users SET city = city || '*' WHERE user_id = $1", [
          random.between(1, shop.users),
        ]);
      if (kind < 0.998) return withdraw(client);
      const { rowCount } = await client.query('DELETE FROM products WHERE product_id = $1', [
        random.between(1, shop.products),
      ]);
      return { ...NOTHING, deleted: rowCount ?? 0 };
    },
  };
}

async function update(client: pg.Client, sql: string, values: readonly unknown[]): Promise<RowChanges> {
  const { rowCount } = await client.query(sql, [...values]);
  return { ...NOTHING, updated: rowCount ?? 0 };
}

/** Items and their order in one statement, so in one transaction. */
async function order(client: pg.Client, { users, products }: Shop, random: Random): Promise<RowChanges> {
  const items = random.between(1, 4);
  const { rowCount } = await client.query(
    `WITH made AS (
       INSERT INTO orders (order_id, user_id, status) SELECT coalesce(max(order_id), 0) + 1, $1, 'new' FROM orders
       RETURNING order_id)
     INSERT INTO order_items (order_item_id, order_id, product_id, quantity, price)
     SELECT (SELECT coalesce(max(order_item_id), 0) FROM order_items) + n, made.order_id, product, quantity, price
     FROM made, unnest($2::int[], $3::int[], $4::numeric[]) WITH ORDINALITY AS item(product, quantity, price, n)`,
    [
      random.between(1, users),
      Array.from({ length: items }, () => random.between(1, products)),
      Array.from({ length: items }, () => random.between(1, 4)),
      Array.from({ length: items }, () => (random.between(100, 500_000) / 100).toFixed(2)),
    ],
  );
  return { ...NOTHING, inserted: 1 + (rowCount ?? 0) };
}

/** One of the newest orders goes on: paid, shipped, delivered; some are cancelled, some come back. */
async function proceed(client: pg.Client, random: Random): Promise<RowChanges> {
  const fails = random.chance(0.08);
  return update(
    client,
    `UPDATE orders SET status = CASE status
       WHEN 'new' THEN CASE WHEN $2 THEN 'cancelled' ELSE 'paid' END
       WHEN 'paid' THEN 'shipped' WHEN 'shipped' THEN 'delivered'
       ELSE CASE WHEN $2 THEN 'returned' ELSE status END END
     WHERE order_id = (SELECT order_id FROM orders ORDER BY order_id DESC OFFSET $1 LIMIT 1)`,
    [random.between(0, 200), fails],
  );
}

async function renameProduct(client: pg.Client, { products }: Shop, random: Random): Promise<RowChanges> {
  const revision = random.between(2, 99);
  return update(
    client,
    "UPDATE products SET product_name = regexp_replace(product_name, ' rev\\. \\d+$', '') || $2 WHERE product_id = $1",
    [random.between(1, products), ` rev. ${revision}`],
  );
}

/** The newest cancelled order is taken out, with its items. */
async function withdraw(client: pg.Client): Promise<RowChanges> {
  const { rowCount } = await client.query(
    `WITH gone AS (DELETE FROM orders WHERE order_id =
       (SELECT order_id FROM orders WHERE status = 'cancelled' ORDER BY order_id DESC LIMIT 1) RETURNING order_id)
     DELETE FROM order_items USING gone WHERE order_items.order_id = gone.order_id`,
  );
  return { ...NOTHING, deleted: rowCount ?? 0 };
}
