import type { Dashboard } from '../dashboard.ts';

/** Both datasets have these columns, so every query filters alike. */
const FILTERED = `(empty({regions:Array(Int64)}) OR has({regions:Array(Int64)}, "id региона"))
  AND (empty({warehouses:Array(Int64)}) OR has({warehouses:Array(Int64)}, "id склада"))
  AND (empty({categories:Array(String)}) OR has({categories:Array(String)}, "матрица"))`;

/** A list is for reading, so it ends somewhere. */
const LIST_ROWS = 1000;

export const dashboard: Dashboard = {
  title: 'Остатки на складах',
  filters: [
    {
      name: 'regions',
      title: 'Регион',
      type: 'Array(Int64)',
      sql: 'SELECT DISTINCT "id региона" AS value, "регион" AS label FROM bi_stock_full ORDER BY label',
    },
    {
      name: 'warehouses',
      title: 'Склад',
      type: 'Array(Int64)',
      sql: 'SELECT DISTINCT "id склада" AS value, "склад" AS label FROM bi_stock_full ORDER BY label, value',
    },
    {
      name: 'categories',
      title: 'Матрица',
      type: 'Array(String)',
      sql: 'SELECT DISTINCT "матрица" AS value, value AS label FROM bi_stock_full ORDER BY label',
    },
  ],
  queries: [
    {
      name: 'totals',
      title: 'Итого',
      show: {
        kind: 'figures',
        titles: {
          pieces: 'Остаток, шт.',
          products: 'Товаров в наличии',
          warehouses: 'Складов с остатками',
          absent: 'Отсутствует (товар × склад)',
        },
      },
      sql: `SELECT sum("остаток, шт.") AS pieces, uniqExactIf("id товара", "остаток, шт." > 0) AS products,
  uniqExactIf("id склада", "остаток, шт." > 0) AS warehouses,
  (SELECT count() FROM "Остатки (отсутствие)" WHERE ${FILTERED}) AS absent
FROM bi_stock_full WHERE ${FILTERED}`,
    },
    {
      name: 'byWarehouse',
      title: 'Остатки по складам',
      show: { kind: 'bars', label: 'склад', value: 'остаток' },
      sql: `SELECT "склад", sum("остаток, шт.") AS "остаток"
FROM bi_stock_full WHERE ${FILTERED} GROUP BY "id склада", "склад" ORDER BY "остаток" DESC`,
    },
    {
      name: 'byCategory',
      title: 'Остатки по матрице',
      show: { kind: 'bars', label: 'матрица', value: 'остаток' },
      sql: `SELECT "матрица", sum("остаток, шт.") AS "остаток"
FROM bi_stock_full WHERE ${FILTERED} GROUP BY "матрица" ORDER BY "остаток" DESC`,
    },
    {
      name: 'absenceMatrix',
      title: 'Отсутствие: доля товаров матрицы, которых нет на складе',
      show: { kind: 'heatmap', row: 'матрица', column: 'склад', value: 'доля' },
      // A cell without a row has nothing absent.
      sql: `SELECT "матрица", "склад", count() AS "отсутствует", count() / any(category.products) AS "доля"
FROM "Остатки (отсутствие)" AS absence
JOIN (SELECT product_category, count() AS products FROM products GROUP BY product_category) AS category
  ON category.product_category = absence."матрица"
WHERE ${FILTERED} GROUP BY "матрица", "id склада", "склад" ORDER BY "матрица", "id склада"`,
    },
    {
      name: 'absenceList',
      title: 'Отсутствие: список',
      show: { kind: 'table' },
      sql: `SELECT "регион", "склад", "матрица", "id товара", "товар", "остаток, шт."
FROM "Остатки (отсутствие)" WHERE ${FILTERED}
ORDER BY "регион", "склад", "матрица", "товар" LIMIT ${LIST_ROWS}`,
    },
  ],
};
