-- One row an order item. It reads what is current, so it is right in whatever order rows have arrived; what has not
-- arrived yet, or is deleted, is NULL.
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
FROM order_items AS i
LEFT JOIN orders AS o ON o.order_id = i.order_id
LEFT JOIN products AS p ON p.product_id = i.product_id
LEFT JOIN sellers AS s ON s.seller_id = p.seller_id
LEFT JOIN users AS u ON u.user_id = o.user_id
SETTINGS join_use_nulls = 1
