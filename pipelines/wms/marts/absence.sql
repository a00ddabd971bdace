-- Остатки (отсутствие): every product in every warehouse of every region, less what is in stock.
SELECT
  "id склада", "склад", "id региона", "регион", "id товара", "товар", "матрица", "остаток, шт."
FROM (
  SELECT
    warehouse.warehouse_id AS "id склада",
    warehouse.warehouse_name AS "склад",
    CASE WHEN region.known = 1 THEN region.region_id ELSE 0 END AS "id региона",
    CASE WHEN region.known = 1 THEN region.region_name ELSE '-- не определено --' END AS "регион",
    product.product_id AS "id товара",
    product.product_name AS "товар",
    product.product_category AS "матрица",
    CASE WHEN stock.known = 1 THEN stock.quantity ELSE 0 END AS "остаток, шт."
  FROM warehouses AS warehouse
  CROSS JOIN products AS product
  LEFT JOIN (SELECT region_id, region_name, 1 AS known FROM regions) AS region
    ON region.region_id = warehouse.region_id
  LEFT JOIN (SELECT product_id, warehouse_id, quantity, 1 AS known FROM stock_balances_v) AS stock
    ON stock.product_id = product.product_id AND stock.warehouse_id = warehouse.warehouse_id
) AS every_pair
-- The condition: what counts as absent. Change it here, and here only; a pair without a row has quantity 0.
WHERE "остаток, шт." <= 0
