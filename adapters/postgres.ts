import pg from 'pg';
import type { SourceColumn, SourceTable } from '../core/catalog.ts';
import { type ColumnCheck, conditionsOf } from '../core/checks.ts';
import { messageOf, TidegateError } from '../core/errors.ts';
import { markHashed, SALT_SETTING } from '../core/hashedColumns.ts';
import { formatTableName } from '../core/identifiers.ts';

/**
 * Every session reads values as the same text, whatever the server, the database or the role has set: the conversions
 * in core/ rely on it.
 */
const SESSION_SETTINGS = {
  TimeZone: 'UTC',
  DateStyle: 'ISO',
  IntervalStyle: 'postgres',
  bytea_output: 'hex',
  extra_float_digits: '1',
  client_encoding: 'UTF8',
  standard_conforming_strings: 'on',
  row_security: 'off',
} as const;

/**
 * Opens a session. The caller ends it. A salt that the URL carries (see captureUrl) becomes a setting of the session.
 * @param options.applicationName what pg_stat_activity shows.
 * @param options.replication true for a connection that also understands replication commands (CREATE_REPLICATION_SLOT).
 * @throws TidegateError SERVICE_UNREACHABLE, ACCESS_DENIED or SOURCE_NOT_READY (no such database).
 */
export async function connectPostgres(
  url: URL,
  options: { applicationName: string; replication?: boolean },
): Promise<pg.Client> {
  const server = new URL(url);
  const salt = server.searchParams.get(SALT_SETTING);
  server.searchParams.delete(SALT_SETTING);
  const config = {
    connectionString: server.href,
    application_name: options.applicationName,
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    options: Object.entries({ ...SESSION_SETTINGS, ...(salt !== null && { [SALT_SETTING]: salt }) })
      .map(([name, value]) => `-c ${name}=${value}`)
      .join(' '),
    // Not in the types of pg: sent as the startup parameter of the same name.
    ...(options.replication ? { replication: 'database' } : {}),
  };
  const client = new pg.Client(config);
  // A server that goes away between two queries emits an error; the next query then fails and says so to its caller.
  client.on('error', () => undefined);
  try {
    await client.connect();
  } catch (error) {
    await client.end().catch(() => undefined);
    throw connectionError(url, error);
  }
  return client;
}

/** The URL without its password, for messages. */
function addressOf(url: URL): string {
  return `${url.hostname}:${url.port || '5432'}${url.pathname}`;
}

function connectionError(url: URL, cause: unknown): TidegateError {
  const code = (cause as { code?: string }).code ?? '';
  const user = decodeURIComponent(url.username);
  // 28: refused authentication. 42501: the role may not connect to this database.
  if (code.startsWith('28') || code === '42501') {
    return new TidegateError('ACCESS_DENIED', `PostgreSQL at ${addressOf(url)} refused the user '${user}'`, {
      remedy: `Correct the user or the password in the URL, or grant the access. PostgreSQL says: ${messageOf(cause)}`,
      cause,
    });
  }
  if (code === '3D000') {
    return new TidegateError('SOURCE_NOT_READY', `there is no database at ${addressOf(url)}`, {
      remedy: 'Create the database, or correct its name in the URL.',
      cause,
    });
  }
  return new TidegateError('SERVICE_UNREACHABLE', `PostgreSQL at ${addressOf(url)} does not answer`, {
    remedy: `Start it, or correct the URL. The connection failed with: ${messageOf(cause) || code}`,
    cause,
  });
}

/** The names of an index's key columns, in their order; empty when there is no such index. */
function indexColumns(which: string): string {
  return `coalesce((SELECT array_agg(a.attname::text ORDER BY k.position)
    FROM pg_index i
    CROSS JOIN unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, position)
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
    WHERE i.indrelid = c.oid AND ${which} AND k.position <= i.indnkeyatts), '{}')`;
}

const TABLE_SQL = `
  SELECT c.oid::bigint AS oid, c.relkind AS kind, c.relreplident AS "replicaIdentity",
    c.relpersistence = 'u' AS unlogged, c.relrowsecurity AS "rowSecurity",
    coalesce((SELECT sum(p.reltuples) FROM pg_partition_tree(c.oid) t JOIN pg_class p ON p.oid = t.relid
              WHERE t.isleaf AND p.reltuples >= 0), c.reltuples)::float8 AS "estimatedRows",
    CASE WHEN c.relkind = 'r'
      THEN pg_relation_size(c.oid) / current_setting('block_size')::bigint ELSE 0 END::float8 AS pages,
    ${indexColumns('i.indisprimary')} AS "primaryKey",
    ${indexColumns("i.indisreplident AND c.relreplident = 'i'")} AS "identityIndex",
    (SELECT conname::text FROM pg_constraint
     WHERE conrelid = c.oid AND contype = 'p' AND condeferrable) AS "deferrableKey"
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')`;

/** Walks each column's domains down to the base type; a NOT NULL anywhere on the way counts. */
const COLUMNS_SQL = `
  WITH RECURSIVE resolved AS (
    SELECT a.attnum, a.atttypid AS type, a.atttypmod AS typmod, a.attnotnull AS "notNull"
    FROM pg_attribute a WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT r.attnum, t.typbasetype, CASE WHEN r.typmod >= 0 THEN r.typmod ELSE t.typtypmod END,
      r."notNull" OR t.typnotnull
    FROM resolved r JOIN pg_type t ON t.oid = r.type AND t.typtype = 'd'
  )
  SELECT a.attname AS name, a.attnum::int AS attnum, format_type(r.type, r.typmod) AS type, t.typname AS "typeName",
    t.typtype AS "typeKind", t.typcategory AS "typeCategory", a.attndims::int AS dimensions,
    r."notNull", a.attgenerated <> '' AS generated,
    pg_get_expr(d.adbin, d.adrelid) AS default
  FROM resolved r
  JOIN pg_type t ON t.oid = r.type AND t.typtype <> 'd'
  JOIN pg_attribute a ON a.attrelid = $1 AND a.attnum = r.attnum
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  ORDER BY a.attnum`;

/** CHECK constraints of one column alone, and those of the domains that a column goes through. PostgreSQL 18 can switch one off. */
const CHECKS_SQL = `
  WITH RECURSIVE domains AS (
    SELECT a.attnum, a.atttypid AS type FROM pg_attribute a
    WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT d.attnum, t.typbasetype FROM domains d JOIN pg_type t ON t.oid = d.type AND t.typtype = 'd'
  )
  SELECT a.attnum::int AS attnum, quote_ident(a.attname) AS name, pg_get_expr(k.conbin, k.conrelid) AS expression
  FROM pg_constraint k JOIN pg_attribute a ON a.attrelid = k.conrelid AND k.conkey = ARRAY[a.attnum]
  WHERE k.conrelid = $1 AND k.contype = 'c' AND coalesce((to_jsonb(k)->>'conenforced')::bool, true)
  UNION ALL
  SELECT d.attnum::int, 'VALUE', pg_get_expr(k.conbin, 0)
  FROM domains d JOIN pg_constraint k ON k.contypid = d.type AND k.contype = 'c'
  ORDER BY 1, 3`;

/**
 * Reads the catalog's description of one table.
 * @param table.excluded names of columns to leave out, as if the table did not have them.
 * @param table.hashed names of columns to mark as hashed.
 * @throws TidegateError SOURCE_NOT_READY when there is no such table; UNSUPPORTED_SOURCE when an excluded column is not
 * there, or is of a key, or a hashed one cannot be.
 */
export async function readSourceTable(
  client: pg.ClientBase,
  table: { schema: string; name: string; excluded?: readonly string[]; hashed?: readonly string[] },
): Promise<SourceTable> {
  const { schema, name, excluded = [], hashed = [] } = table;
  const tables = await client.query<Omit<SourceTable, 'schema' | 'name' | 'columns' | 'oid'> & { oid: string }>(
    TABLE_SQL,
    [schema, name],
  );
  const found = tables.rows[0];
  if (!found) {
    throw new TidegateError('SOURCE_NOT_READY', `the source has no table ${formatTableName({ schema, name })}`, {
      remedy: 'Create the table, or correct its name in the definition (names are case-sensitive).',
    });
  }
  const { rows } = await client.query<SourceColumn>(COLUMNS_SQL, [found.oid]);
  const checks = await client.query<ColumnCheck & { attnum: number }>(CHECKS_SQL, [found.oid]);
  const columns = rows.map((column) => {
    const conditions = checks.rows.filter(({ attnum }) => attnum === column.attnum).flatMap(conditionsOf);
    return conditions.length > 0 ? { ...column, checks: conditions } : column;
  });
  const all = { ...found, oid: Number(found.oid), schema, name, columns };
  const sent = excluded.length > 0 ? withoutColumns(all, excluded) : all;
  if (hashed.length === 0) return sent;
  const domains = await client.query<{ name: string }>(DOMAINS_SQL, [found.oid]);
  return markHashed(sent, { hashed, domains: domains.rows.map(({ name }) => name) });
}

const DOMAINS_SQL = `SELECT attname::text AS name FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
  WHERE a.attrelid = $1 AND a.attnum > 0 AND t.typtype = 'd'`;

function withoutColumns(source: SourceTable, excluded: readonly string[]): SourceTable {
  const refused = (column: string, what: string) =>
    new TidegateError('UNSUPPORTED_SOURCE', `${formatTableName(source)} cannot exclude '${column}': ${what}`, {
      remedy: "Correct the table's 'exclude' in the definition.",
    });
  const missing = excluded.find((column) => source.columns.every(({ name }) => name !== column));
  if (missing !== undefined) throw refused(missing, 'it has no such column');
  const key = excluded.find((column) => [...source.primaryKey, ...source.identityIndex].includes(column));
  if (key !== undefined) throw refused(key, 'it is of the key, by which changes find their row');
  return { ...source, columns: source.columns.filter(({ name }) => !excluded.includes(name)), excluded };
}
