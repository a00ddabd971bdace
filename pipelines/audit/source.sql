-- The source database `mydb`: one table whose changes are to be kept.
--
-- Run by a superuser in the database itself; running it again changes nothing. The table belongs to the database's
-- owner. The password of the role `debezium` is no part of this file; the session gives it (see pipelines/wms/source.sql),
-- and without it an existing password stays as it is.

DO $$
BEGIN
  EXECUTE format('SET ROLE %I', (SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()));
END $$;

CREATE TABLE IF NOT EXISTS public.my_table (
  id integer PRIMARY KEY,
  name text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE public.my_table IS 'People as the back office edits them';

-- Every change then carries the whole row as it was before.
ALTER TABLE public.my_table REPLICA IDENTITY FULL;

RESET ROLE;

-- The role that Debezium uses: it may log in, replicate and read this table, and nothing else.
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
GRANT SELECT ON public.my_table TO debezium;
