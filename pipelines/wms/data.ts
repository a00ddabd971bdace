import type { CsvTable } from '../csv.ts';
import { Random } from '../random.ts';
import { CATEGORIES, categoryNumbers, productRows } from './products.ts';

/** Regions and the towns of their warehouses. */
const TOWNS: Readonly<Record<string, readonly string[]>> = {
  'Центральный регион': ['Москва', 'Подольск', 'Тула', 'Воронеж', 'Ярославль'],
  'Северо-Западный регион': ['Санкт-Петербург', 'Великий Новгород', 'Мурманск'],
  'Южный регион': ['Ростов-на-Дону', 'Краснодар', 'Волгоград'],
  'Приволжский регион': ['Казань', 'Нижний Новгород', 'Самара', 'Уфа'],
  'Уральский регион': ['Екатеринбург', 'Челябинск'],
  'Сибирский регион': ['Новосибирск', 'Красноярск', 'Иркутск'],
};
const REGIONS = Object.keys(TOWNS);
const WAREHOUSES = REGIONS.flatMap((region, index) => TOWNS[region]!.map((town) => ({ town, regionId: index + 1 })));

/** 10,000 products in 20 warehouses, nine pairs of ten in stock. */
export const DEFAULT_ROWS = 180_000;
const PRESENT = 0.9;

/** Balances were last changed in the 90 days before this moment: a fixed one, so that a seed gives the same bytes. */
const NEWEST_CHANGE_MS = Date.UTC(2026, 0, 1);
const CHANGE_SPAN_SECONDS = 90 * 86_400;

/**
 * The tables of the source in the order in which they are loaded. Rows are made while they are read, so memory does not
 * grow with their number.
 * @param options.rows rows of stock_balances, exactly; products follow, so that nine pairs of ten have a row.
 */
export function wmsTables({ rows, seed }: { rows: number; seed: number }): CsvTable[] {
  const products = Math.ceil(rows / (WAREHOUSES.length * PRESENT));
  return [
    {
      name: 'regions',
      columns: ['region_id', 'region_name'],
      rows: REGIONS.map((name, index) => [index + 1, name]),
    },
    {
      name: 'warehouses',
      columns: ['warehouse_id', 'warehouse_name', 'region_id'],
      rows: WAREHOUSES.map(({ town, regionId }, index) => [index + 1, `Склад ${town}`, regionId]),
    },
    {
      name: 'products',
      columns: ['product_id', 'product_name', 'product_category'],
      rows: productRows({ count: products, seed }),
    },
    {
      name: 'stock_balances',
      columns: ['product_id', 'warehouse_id', 'quantity', 'updated_at'],
      rows: stockRows({ products, rows, seed }),
    },
  ];
}

/** Chooses exactly `rows` of all pairs in one pass: each with the chance that still leaves the right number. */
function* stockRows({ products, rows, seed }: { products: number; rows: number; seed: number }) {
  const random = new Random(~seed);
  const categories = categoryNumbers(seed);
  // Some goods run out sooner in some warehouses, and most do nowhere.
  const soldOut = Array.from(WAREHOUSES, () => CATEGORIES.map(() => random.next() ** 3 * 0.25));
  let wanted = rows;
  let left = products * WAREHOUSES.length;
  for (let product = 1; product <= products; product++) {
    const category = categories.next().value;
    for (let warehouse = 1; warehouse <= WAREHOUSES.length; warehouse++, left--) {
      if (!random.chance(wanted / left)) continue;
      wanted--;
      const empty = random.chance(soldOut[warehouse - 1]![category]!);
      yield [product, warehouse, empty ? 0 : quantity(random), changedAt(random)];
    }
  }
}

/** Many small balances and few large ones, from 1 to about 1,000 pieces. */
function quantity(random: Random): number {
  return Math.ceil(1000 ** random.next());
}

function changedAt(random: Random): string {
  const before = random.next() * CHANGE_SPAN_SECONDS * 1000;
  const microseconds = String(random.between(0, 999)).padStart(3, '0');
  return new Date(NEWEST_CHANGE_MS - before).toISOString().replace('Z', `${microseconds}Z`);
}
