-- The source database `mydb`: one table whose changes are to be kept.
-- Run after role.sql, which says how; running it again changes nothing.

CALL pg_temp.become_owner();

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
CALL pg_temp.ensure_reader('debezium', replication => true);
GRANT SELECT ON public.my_table TO debezium;
