-- bi_stock_full: every balance with the names around it, one row a product and warehouse. A stream is ahead of the
-- daily catalogues, so what they do not know yet is shown as such. `known` tells a row that was found from one that
-- was not, whether the reader's joins fill the gap with NULL or with a default (join_use_nulls).
SELECT
  stock.warehouse_id AS "id склада",
  coalesce(CASE WHEN warehouse.known = 1 THEN warehouse.warehouse_name END, '-- не определено --') AS "склад",
  coalesce(CASE WHEN region.known = 1 THEN region.region_id END, 0) AS "id региона",
  coalesce(CASE WHEN region.known = 1 THEN region.region_name END, '-- не определено --') AS "регион",
  stock.product_id AS "id товара",
  coalesce(CASE WHEN product.known = 1 THEN product.product_name END, '-- не определено --') AS "товар",
  coalesce(CASE WHEN product.known = 1 THEN product.product_category END, '-- не определено --') AS "матрица",
  stock.quantity AS "остаток, шт."
FROM stock_balances_v AS stock
LEFT JOIN (SELECT warehouse_id, warehouse_name, region_id, 1 AS known FROM warehouses) AS warehouse
  ON warehouse.warehouse_id = stock.warehouse_id
LEFT JOIN (SELECT region_id, region_name, 1 AS known FROM regions) AS region
  ON region.region_id = warehouse.region_id
LEFT JOIN (SELECT product_id, product_name, product_category, 1 AS known FROM products) AS product
  ON product.product_id = stock.product_id
