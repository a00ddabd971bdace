import { Faker, ru } from '@faker-js/faker';
import type { CsvTable } from '../csv.ts';
import { Random } from '../random.ts';

/** Rows of order_items; the other tables follow from it. */
export const DEFAULT_ROWS = 60_000;
const ITEMS_AN_ORDER = 2.5;

export const CATEGORIES = ['Books', 'Clothes', 'Electronics', 'Garden', 'Home', 'Sports', 'Toys', 'Food'] as const;

/** Two years of orders, up to a fixed moment, so that a seed gives the same bytes. */
const NEWEST_MS = Date.UTC(2026, 0, 1);
const SPAN_MS = 730 * 86_400_000;

/** How likely an order is in a month, from January: a summer low, and a peak before the new year. */
const SEASON = [0.6, 0.55, 0.65, 0.6, 0.6, 0.5, 0.45, 0.5, 0.65, 0.7, 0.9, 1] as const;
/** How likely it is at an hour, UTC. */
const HOURS = [1, 1, 1, 1, 2, 4, 6, 7, 8, 8, 8, 9, 9, 8, 8, 8, 9, 10, 10, 9, 7, 5, 3, 2] as const;

/** The tables of the source. @param options.rows rows of order_items, exactly. */
export function shopTables({ rows, seed }: { rows: number; seed: number }): CsvTable[] {
  const orders = Math.ceil(rows / ITEMS_AN_ORDER);
  const users = Math.max(10, Math.ceil(orders / 5));
  const sellers = Math.max(5, Math.ceil(Math.sqrt(orders) / 2));
  const products = Math.max(20, sellers * 20);
  return [
    { name: 'users', columns: ['user_id', 'user_name', 'city', 'registered_at'], rows: userRows(users, seed) },
    { name: 'sellers', columns: ['seller_id', 'seller_name'], rows: sellerRows(sellers, seed) },
    {
      name: 'products',
      columns: ['product_id', 'product_name', 'category', 'seller_id', 'price'],
      rows: productRows({ products, sellers, seed }),
    },
    {
      name: 'orders',
      columns: ['order_id', 'user_id', 'status', 'ordered_at'],
      rows: orderRows({ orders, users, seed }),
    },
    {
      name: 'order_items',
      columns: ['order_item_id', 'order_id', 'product_id', 'quantity', 'price'],
      rows: itemRows({ rows, orders, products, seed }),
    },
  ];
}

function* userRows(count: number, seed: number) {
  const faker = new Faker({ locale: ru, seed });
  for (let id = 1; id <= count; id++) {
    const registered = new Date(NEWEST_MS - SPAN_MS - id * 1000).toISOString();
    yield [id, faker.person.fullName(), faker.location.city(), registered];
  }
}

function* sellerRows(count: number, seed: number) {
  const faker = new Faker({ locale: ru, seed: seed + 1 });
  for (let id = 1; id <= count; id++) yield [id, `${faker.company.name()} ${id}`];
}

function* productRows({ products, sellers, seed }: { products: number; sellers: number; seed: number }) {
  const faker = new Faker({ locale: ru, seed: seed + 2 });
  const random = new Random(seed + 2);
  for (let id = 1; id <= products; id++) {
    const price = (Math.ceil(100 * 5000 ** random.next()) / 100).toFixed(2);
    yield [id, `${faker.commerce.productName()} ${id}`, random.pick(CATEGORIES), random.between(1, sellers), price];
  }
}

function* orderRows({ orders, users, seed }: { orders: number; users: number; seed: number }) {
  const random = new Random(seed + 3);
  for (let id = 1; id <= orders; id++) {
    const at = orderTime(random);
    yield [id, random.between(1, users), statusAt(random.next(), NEWEST_MS - at), new Date(at).toISOString()];
  }
}

/** How far an order has come: paid within a day, shipped within three, delivered within a week, and some come back then. */
function statusAt(fate: number, ageMs: number): string {
  const days = (ageMs / 86_400_000) * (0.5 + fate);
  if (fate < 0.06 && days > 0.2) return 'cancelled';
  if (days < 1) return days < 0.3 ? 'new' : 'paid';
  if (days < 3) return 'paid';
  if (days < 7) return 'shipped';
  return fate < 0.12 && days > 10 ? 'returned' : 'delivered';
}

/** Draws until a moment suits its season and hour. */
function orderTime(random: Random): number {
  for (;;) {
    const at = new Date(NEWEST_MS - Math.floor(random.next() * SPAN_MS));
    if (random.chance(SEASON[at.getUTCMonth()]!) && random.chance(HOURS[at.getUTCHours()]! / 10)) return at.getTime();
  }
}

function* itemRows(options: { rows: number; orders: number; products: number; seed: number }) {
  const { rows, orders, products, seed } = options;
  const random = new Random(seed + 4);
  for (let id = 1; id <= rows; id++) {
    const order = Math.min(orders, 1 + Math.floor((id - 1) / ITEMS_AN_ORDER));
    // Few products sell often.
    const product = 1 + Math.floor(random.next() ** 2 * products);
    yield [id, order, product, random.between(1, 4), (Math.ceil(100 * 5000 ** random.next()) / 100).toFixed(2)];
  }
}
