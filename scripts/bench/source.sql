-- The role that reads the source of the benchmarks. Tables are made by their owner, as each benchmark needs them.
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
