-- The source database `wms`: what is in stock in which warehouse.
-- Run after role.sql, which says how; running it again changes nothing.
-- The server needs wal_level=logical; max_wal_senders=10 and max_replication_slots=10 are enough.

CALL pg_temp.become_owner();

CREATE TABLE IF NOT EXISTS public.products (
  product_id integer PRIMARY KEY,
  product_name text NOT NULL,
  product_category text NOT NULL
);
COMMENT ON TABLE public.products IS 'Catalogue of goods';
COMMENT ON COLUMN public.products.product_category IS 'Assortment category; reports call it "матрица"';

CREATE TABLE IF NOT EXISTS public.regions (
  region_id integer PRIMARY KEY,
  region_name text NOT NULL
);
COMMENT ON TABLE public.regions IS 'Sales regions; 0 is never used, since reports show it for an unknown region';

CREATE TABLE IF NOT EXISTS public.warehouses (
  warehouse_id integer PRIMARY KEY,
  warehouse_name text NOT NULL,
  region_id integer REFERENCES public.regions (region_id) ON DELETE SET NULL
);
COMMENT ON TABLE public.warehouses IS 'Warehouses';
COMMENT ON COLUMN public.warehouses.region_id IS 'NULL while the warehouse has not been assigned to a region';

-- Without foreign keys: balances come from the warehouses' own systems, which may know a product or a warehouse before
-- the catalogues do, and must never be refused for it.
CREATE TABLE IF NOT EXISTS public.stock_balances (
  product_id integer NOT NULL,
  warehouse_id integer NOT NULL,
  quantity integer NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (product_id, warehouse_id)
);
COMMENT ON TABLE public.stock_balances IS 'Stock of one product in one warehouse; no row means that there is none';
COMMENT ON COLUMN public.stock_balances.quantity IS 'Pieces; below 0 while a shipment is booked ahead of its receipt';
COMMENT ON COLUMN public.stock_balances.updated_at IS 'When the row last changed; kept by a trigger';

CREATE OR REPLACE FUNCTION public.touch_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.updated_at := now();
  RETURN NEW;
END $$;

-- An update that sets updated_at itself keeps what it set.
CREATE OR REPLACE TRIGGER touch_updated_at
  BEFORE UPDATE ON public.stock_balances
  FOR EACH ROW WHEN (NEW.updated_at = OLD.updated_at)
  EXECUTE FUNCTION public.touch_updated_at();

RESET ROLE;

-- The role that Debezium and the loads use: it may log in, replicate and read these four tables, and nothing else.
CALL pg_temp.ensure_reader('debezium', replication => true);
GRANT SELECT ON public.products, public.warehouses, public.regions, public.stock_balances TO debezium;
