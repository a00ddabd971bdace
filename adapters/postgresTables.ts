import type pg from 'pg';

/** A table or view that a person made. */
export interface ListedTable {
  schema: string;
  name: string;
}

/** Partitions belong to their parent, and what an extension made belongs to the extension. */
const SQL = `
  SELECT n.nspname AS schema, c.relname AS name
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition AND c.relpersistence IN ('p', 'u')
    AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
  ORDER BY n.nspname, c.relname`;

/** The tables and views of a database, ordered by schema and name; temporary ones are left out. */
export async function listTables(client: pg.ClientBase): Promise<ListedTable[]> {
  return (await client.query<ListedTable>(SQL)).rows;
}
