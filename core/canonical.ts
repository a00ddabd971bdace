import type { SourceColumn } from './catalog.ts';
import { sourceRows } from './ddl.ts';
import { currentRows } from './ddlCurrent.ts';
import { chIdentifier, chTable, pgIdentifier } from './identifiers.ts';
import { isWholeRowKey, keyColumns, type MappedColumn, mappedColumns, type TargetShape } from './typeMapping.ts';

/**
 * SQL that reads one side of a table. All numbers arrive as text.
 *
 * Every row is written down as one text, the same in both databases, and hashed (60 bits of MD5). Hashes are added up,
 * so the order of rows does not matter and no side sorts or keeps rows. NULL differs from an empty text, and no two
 * different rows have the same text.
 */
export interface VerifySide {
  /** One row: {rows, checksum}. */
  summary: string;
  /** Rows {bucket, rows, checksum}; a row's bucket, 0 to count - 1, follows from its key alone. Empty buckets are missing. */
  buckets(count: number): string;
  /** The rows of one bucket as {key, hash}, in the order of key's bytes; key is an array of texts as in JSON. */
  keys(bucket: number, count: number): string;
}

/** Names that no column has: in ClickHouse an alias would stand in for a column of its name. */
const HASH = '_tidegate_hash';
const BUCKET = '_tidegate_bucket';
const KEY = '_tidegate_key';

/** One database's way of writing down and hashing. */
interface Dialect {
  /** The column's canonical text, with its length where it may hold any character; `~` for NULL. */
  field(column: MappedColumn): string;
  /** The canonical text as in JSON: in quotes, with quotes and backslashes escaped and nothing else, so that both sides do the same. */
  quoted(column: MappedColumn): string;
  join(fields: readonly string[]): string;
  /** A hash of 60 bits, as an integer of 64. */
  hash(text: string): string;
  asText(expression: string): string;
  /** Adds up hashes without overflow. */
  sum(hash: string): string;
  /** Sorts by bytes. */
  sorted(text: string): string;
}

/**
 * The SQL for comparing a table's source with its target. PostgreSQL's must run in a session of adapters/postgres.ts. A
 * stream table's target is read as its current rows.
 * @throws TidegateError UNSUPPORTED_SOURCE.
 */
export function verifySql(shape: TargetShape): { postgres: VerifySide; clickhouse: VerifySide } {
  const columns = mappedColumns(shape);
  const key = keyColumns(columns, shape);
  const current =
    shape.table.load === 'stream'
      ? currentRows(shape)
      : chTable({ database: shape.database, name: shape.table.target });
  // Without a key the whole row is one.
  const parts = { columns, key: key.length > 0 ? key : columns };
  return {
    postgres: side(POSTGRES, { ...parts, rows: sourceRows(shape.source), distinct: isWholeRowKey(shape) }),
    clickhouse: side(CLICKHOUSE, { ...parts, rows: current }),
  };
}

interface SideOptions {
  columns: readonly MappedColumn[];
  key: readonly MappedColumn[];
  /** The rest of a SELECT, after FROM. */
  rows: string;
  /** Whether equal rows count once. */
  distinct?: boolean;
}

function side(dialect: Dialect, { columns, key, rows, distinct = false }: SideOptions): VerifySide {
  const select = distinct ? 'SELECT DISTINCT' : 'SELECT';
  const hashOf = (some: readonly MappedColumn[]) => dialect.hash(dialect.join(some.map(dialect.field)));
  const rowHash = hashOf(columns);
  const bucketOf = (count: number) => `${hashOf(key)} % ${whole(count)}`;
  const keyText = `concat('[', ${key.map(dialect.quoted).join(", ',', ")}, ']')`;
  const totals = `${dialect.asText('count(*)')} AS rows, ${dialect.asText(dialect.sum(HASH))} AS checksum`;
  return {
    summary: `SELECT ${totals} FROM (${select} ${rowHash} AS ${HASH} FROM ${rows}) AS hashed`,
    buckets: (count) =>
      `SELECT ${dialect.asText(BUCKET)} AS bucket, ${totals} ` +
      `FROM (${select} ${rowHash} AS ${HASH}, ${bucketOf(count)} AS ${BUCKET} FROM ${rows}) AS hashed ` +
      `GROUP BY ${BUCKET} ORDER BY ${BUCKET}`,
    keys: (bucket, count) =>
      `SELECT ${KEY} AS key, ${dialect.asText(HASH)} AS hash ` +
      `FROM (${select} ${keyText} AS ${KEY}, ${rowHash} AS ${HASH}, ${bucketOf(count)} AS ${BUCKET} FROM ${rows}) AS hashed ` +
      `WHERE ${BUCKET} = ${whole(bucket)} ORDER BY ${dialect.sorted(KEY)}`,
  };
}

const POSTGRES: Dialect = {
  field({ column, conversion: { canonical } }) {
    const text = canonical.postgres(pgIdentifier(column.name));
    const written = canonical.open ? `octet_length(${text})::text || ':' || ${text}` : text;
    return column.notNull ? written : unlessNull(column, { written, otherwise: '~' });
  },
  quoted({ column, conversion: { canonical } }) {
    const text = canonical.postgres(pgIdentifier(column.name));
    const written = `'"' || replace(replace(${text}, '\\', '\\\\'), '"', '\\"') || '"'`;
    return column.notNull ? written : unlessNull(column, { written, otherwise: 'null' });
  },
  join: (fields) => `concat_ws('|', ${fields.join(', ')})`,
  hash: (text) => `('x' || substr(md5(${text}), 1, 15))::bit(60)::bigint`,
  asText: (expression) => `(${expression})::text`,
  sum: (hash) => `coalesce(sum(${hash}), 0)`,
  sorted: (text) => `${text} COLLATE "C"`,
};

const CLICKHOUSE: Dialect = {
  field({ column, conversion: { canonical } }) {
    const name = chIdentifier(column.name);
    const text = canonical.clickhouse(column.notNull ? name : `assumeNotNull(${name})`);
    const written = canonical.open ? `concat(toString(length(${text})), ':', ${text})` : text;
    return column.notNull ? written : `if(isNull(${name}), '~', ${written})`;
  },
  quoted({ column, conversion: { canonical } }) {
    const name = chIdentifier(column.name);
    const text = canonical.clickhouse(column.notNull ? name : `assumeNotNull(${name})`);
    const written = `concat('"', replaceAll(replaceAll(${text}, '\\\\', '\\\\\\\\'), '"', '\\\\"'), '"')`;
    return column.notNull ? written : `if(isNull(${name}), 'null', ${written})`;
  },
  join: (fields) => `concat(${[...fields.flatMap((field) => [field, "'|'"]).slice(0, -1), "''"].join(', ')})`,
  hash: (text) => `bitShiftRight(byteSwap(reinterpretAsUInt64(MD5(${text}))), 4)`,
  asText: (expression) => `toString(${expression})`,
  sum: (hash) => `sum(toUInt128(${hash}))`,
  sorted: (text) => text,
};

/** IS NULL is true of a row of NULLs as well; IS DISTINCT FROM NULL means the value itself. */
function unlessNull({ name }: SourceColumn, { written, otherwise }: { written: string; otherwise: string }): string {
  return `CASE WHEN ${pgIdentifier(name)} IS DISTINCT FROM NULL THEN ${written} ELSE '${otherwise}' END`;
}

function whole(value: number): string {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`not a whole number: ${value}`);
  return String(value);
}
