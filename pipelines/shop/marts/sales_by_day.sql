-- What dashboards ask for, a day at a time: by hour, category, seller, product and order status. An order belongs to one
-- day, so its orders can be summed over days. What was cancelled or came back is no sale; statuses count all.
WITH
  item AS (
    SELECT
      toDate(assumeNotNull(ordered_at), 'UTC') AS day, toHour(assumeNotNull(ordered_at), 'UTC') AS hour,
      status, category, seller_id, seller_name, product_id, product_name, order_id, quantity, amount
    FROM sales
    WHERE ordered_at >= (SELECT toDateTime64(min(day), 6, 'UTC') FROM {keys:Identifier})
      AND ordered_at < (SELECT toDateTime64(max(day) + 1, 6, 'UTC') FROM {keys:Identifier})
      AND toDate(assumeNotNull(ordered_at), 'UTC') IN (SELECT day FROM {keys:Identifier})
  ),
  sold AS (SELECT * FROM item WHERE status NOT IN ('cancelled', 'returned')),
  CAST(NULL, 'Nullable(String)') AS no_name,
  CAST(NULL, 'Nullable(Int32)') AS no_id
SELECT 'hour' AS dimension, day, hour, no_name AS name, no_id AS id, no_name AS label,
  count() AS items, uniqExact(order_id) AS orders, sum(quantity) AS pieces, sum(amount) AS revenue
FROM sold GROUP BY day, hour
UNION ALL SELECT 'category', day, 0, category, no_id, no_name, count(), uniqExact(order_id), sum(quantity), sum(amount)
FROM sold GROUP BY day, category
UNION ALL SELECT 'seller', day, 0, no_name, seller_id, max(seller_name), count(), uniqExact(order_id), sum(quantity), sum(amount)
FROM sold GROUP BY day, seller_id
UNION ALL SELECT 'product', day, 0, no_name, product_id, max(product_name), count(), uniqExact(order_id), sum(quantity), sum(amount)
FROM sold GROUP BY day, product_id
UNION ALL SELECT 'status', day, 0, status, no_id, no_name, count(), uniqExact(order_id), sum(quantity), sum(amount)
FROM item GROUP BY day, status
