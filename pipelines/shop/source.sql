-- The source database `shop`: who sold what to whom.
--
-- Run by a superuser in the database itself; running it again changes nothing. The tables belong to the database's
-- owner. The password of the role `debezium` is no part of this file; the session gives it (see pipelines/wms/source.sql),
-- and without it an existing password stays as it is.

DO $$
BEGIN
  EXECUTE format('SET ROLE %I', (SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()));
END $$;

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
DO $$
DECLARE
  password text := current_setting('tidegate.capture_password', true);
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'debezium') THEN
    CREATE ROLE debezium LOGIN REPLICATION;
  END IF;
  IF password <> '' THEN
    EXECUTE format('ALTER ROLE debezium PASSWORD %L', password);
  END IF;
  EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
  EXECUTE format('GRANT CONNECT ON DATABASE %I TO debezium', current_database());
END $$;
GRANT USAGE ON SCHEMA public TO debezium;
GRANT SELECT ON public.users, public.sellers, public.products, public.orders, public.order_items TO debezium;
