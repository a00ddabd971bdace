-- Остатки (отсутствие): every product in every warehouse of every region, less what is in stock.
SELECT
  "id склада", "склад", "id региона", "регион", "id товара", "товар", "матрица", "остаток, шт."
FROM (
  SELECT
    warehouse.warehouse_id AS "id склада",
    warehouse.warehouse_name AS "склад",
    coalesce(CASE WHEN region.known = 1 THEN region.region_id END, 0) AS "id региона",
    coalesce(CASE WHEN region.known = 1 THEN region.region_name END, '-- не определено --') AS "регион",
    product.product_id AS "id товара",
    product.product_name AS "товар",
    product.product_category AS "матрица",
    coalesce(CASE WHEN stock.known = 1 THEN stock.quantity END, 0) AS "остаток, шт."
  FROM warehouses AS warehouse
  CROSS JOIN products AS product
  LEFT JOIN (SELECT region_id, region_name, 1 AS known FROM regions) AS region
    ON region.region_id = warehouse.region_id
  LEFT JOIN (SELECT product_id, warehouse_id, quantity, 1 AS known FROM stock_balances_v) AS stock
    ON stock.product_id = product.product_id AND stock.warehouse_id = warehouse.warehouse_id
) AS every_pair
-- The condition: what counts as absent. Change it here, and here only; a pair without a row has quantity 0.
WHERE "остаток, шт." <= 0
