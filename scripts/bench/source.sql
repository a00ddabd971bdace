-- The source of the benchmarks: one table of five usual columns, in the sizes asked for, and one that takes time stamps.
CREATE TABLE IF NOT EXISTS public.pings (
  id bigint PRIMARY KEY,
  note text NOT NULL
);

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
END $$;
GRANT USAGE ON SCHEMA public TO debezium;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO debezium;
