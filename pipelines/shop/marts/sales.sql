-- One row an order item. What has not arrived yet, or is deleted, is NULL.
WITH
  item AS (SELECT * FROM order_items WHERE order_item_id IN (SELECT order_item_id FROM {keys:Identifier})),
  placed AS (SELECT * FROM orders WHERE order_id IN (SELECT order_id FROM item)),
  product AS (SELECT * FROM products WHERE product_id IN (SELECT product_id FROM item))
SELECT
  i.order_item_id AS order_item_id,
  i.order_id AS order_id,
  o.ordered_at AS ordered_at,
  o.status AS status,
  i.product_id AS product_id,
  p.product_name AS product_name,
  p.category AS category,
  p.seller_id AS seller_id,
  s.seller_name AS seller_name,
  o.user_id AS user_id,
  u.user_name AS user_name,
  i.quantity AS quantity,
  i.price AS price,
  i.quantity * i.price AS amount
FROM item AS i
LEFT JOIN placed AS o ON o.order_id = i.order_id
LEFT JOIN product AS p ON p.product_id = i.product_id
LEFT JOIN (SELECT * FROM sellers WHERE seller_id IN (SELECT seller_id FROM product)) AS s ON s.seller_id = p.seller_id
LEFT JOIN (SELECT * FROM users WHERE user_id IN (SELECT user_id FROM placed)) AS u ON u.user_id = o.user_id
SETTINGS join_use_nulls = 1
