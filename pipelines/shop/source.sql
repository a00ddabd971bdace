-- The source database `shop`: who sold what to whom.
-- Run after role.sql, which says how; running it again changes nothing.

CALL pg_temp.become_owner();

CREATE TABLE IF NOT EXISTS public.users (
  user_id integer PRIMARY KEY,
  user_name text NOT NULL,
  city text NOT NULL,
  registered_at timestamptz NOT NULL
);
CREATE TABLE IF NOT EXISTS public.sellers (
  seller_id integer PRIMARY KEY,
  seller_name text NOT NULL
);
CREATE TABLE IF NOT EXISTS public.products (
  product_id integer PRIMARY KEY,
  product_name text NOT NULL,
  category text NOT NULL,
  seller_id integer NOT NULL,
  price numeric(12,2) NOT NULL
);
CREATE TABLE IF NOT EXISTS public.orders (
  order_id bigint PRIMARY KEY,
  user_id integer NOT NULL,
  status text NOT NULL CHECK (status IN ('new', 'paid', 'shipped', 'delivered', 'cancelled', 'returned')),
  ordered_at timestamptz NOT NULL DEFAULT now()
);
-- A product may go from the catalogue; what was sold of it stays sold.
CREATE TABLE IF NOT EXISTS public.order_items (
  order_item_id bigint PRIMARY KEY,
  order_id bigint NOT NULL,
  product_id integer NOT NULL,
  quantity integer NOT NULL,
  price numeric(12,2) NOT NULL
);
CREATE INDEX IF NOT EXISTS order_items_order ON public.order_items (order_id);
COMMENT ON COLUMN public.order_items.price IS 'What one piece cost when it was ordered';

RESET ROLE;

-- The role that Debezium and the copies use: it may log in, replicate and read these tables, and nothing else.
CALL pg_temp.ensure_reader('debezium', replication => true);
GRANT SELECT ON public.users, public.sellers, public.products, public.orders, public.order_items TO debezium;
