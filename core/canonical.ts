import type { SourceColumn } from './catalog.ts';
import { sourceRows } from './ddlCopy.ts';
import { currentRows } from './ddlCurrent.ts';
import { chIdentifier, chTable, pgIdentifier } from './identifiers.ts';
import { isWholeRowKey, keyColumns, type MappedColumn, mappedColumns, type TargetShape } from './typeMapping.ts';
import type { Conversion } from './typeMappingRule.ts';

/**
 * SQL of one side of a table. All numbers arrive as text.
 *
 * Every row is written down as one text, the same in both databases, and hashed (60 bits of MD5). Hashes are added up,
 * so the order of rows does not matter. NULL differs from an empty text, and no two different rows have the same text.
 */
export interface VerifySide {
  /** One row: {rows, checksum}. */
  summary: string;
  /** Expression of a row's key: an array of texts as in JSON. Without a key it is the whole row. */
  key: string;
  /** Expression of a row's hash, an integer of 64 bits. */
  hash: string;
  /** The rest of a SELECT, after FROM, that reads the rows. */
  rows: string;
}

/** Both sides of a table. */
export interface VerifySql {
  postgres: VerifySide;
  clickhouse: VerifySide;
  /** Names of the key's columns, in its order; all columns where the whole row is the key. */
  keyColumns: MappedColumn[];
  /** Whether rows that are equal in all columns count once. */
  distinct: boolean;
}

/** Name of a column of hashes: in ClickHouse an alias would stand in for a column of its name. */
const HASH = '_tidegate_hash';

/** One database's way of writing down and hashing. */
interface Dialect {
  /** The column's canonical text, with its length where it may hold any character; `~` for NULL. */
  field(column: WrittenColumn): string;
  /** The canonical text as in JSON: in quotes, with quotes and backslashes escaped and nothing else, so that both sides do the same. */
  quoted(column: WrittenColumn): string;
  join(fields: readonly string[]): string;
  /** A hash of 60 bits, as an integer of 64. */
  hash(text: string): string;
  asText(expression: string): string;
  /** Adds up hashes without overflow. */
  sum(hash: string): string;
}

/**
 * The SQL for comparing a table's source with its target. PostgreSQL's must run in a session of adapters/postgres.ts. A
 * stream table's target is read as its current rows.
 * @throws TidegateError UNSUPPORTED_SOURCE.
 */
export function verifySql(shape: TargetShape): VerifySql {
  const columns = mappedColumns(shape);
  const named = keyColumns(columns, shape);
  const current =
    shape.table.load === 'stream'
      ? currentRows(shape)
      : chTable({ database: shape.database, name: shape.table.target });
  const key = named.length > 0 ? named : columns;
  const distinct = isWholeRowKey(shape);
  return {
    postgres: side(POSTGRES, { columns, key, rows: sourceRows(shape.source), distinct }),
    clickhouse: side(CLICKHOUSE, { columns, key, rows: current }),
    keyColumns: key,
    distinct,
  };
}

/** A column as both sides write it down. */
export interface WrittenColumn {
  column: Pick<SourceColumn, 'name' | 'notNull' | 'typeName'>;
  conversion: Pick<Conversion, 'canonical' | 'type'>;
}

export interface SideOptions {
  columns: readonly WrittenColumn[];
  key: readonly WrittenColumn[];
  /** The rest of a SELECT, after FROM. */
  rows: string;
  /** Whether equal rows count once. */
  distinct?: boolean;
}

/** The SQL for rows of any kind in PostgreSQL. */
export function postgresSide(options: SideOptions): VerifySide {
  return side(POSTGRES, options);
}

/** The SQL for rows of any kind in ClickHouse. */
export function clickhouseSide(options: SideOptions): VerifySide {
  return side(CLICKHOUSE, options);
}

function side(dialect: Dialect, { columns, key, rows, distinct = false }: SideOptions): VerifySide {
  const hash = dialect.hash(dialect.join(columns.map(dialect.field)));
  const totals = `${dialect.asText('count(*)')} AS rows, ${dialect.asText(dialect.sum(HASH))} AS checksum`;
  return {
    summary: `SELECT ${totals} FROM (SELECT ${distinct ? 'DISTINCT ' : ''}${hash} AS ${HASH} FROM ${rows}) AS hashed`,
    key: `concat('[', ${key.map(dialect.quoted).join(", ',', ")}, ']')`,
    hash,
    rows,
  };
}

const POSTGRES: Dialect = {
  field({ column, conversion: { canonical } }) {
    const text = canonical.postgres(pgIdentifier(column.name));
    const written = canonical.open ? `octet_length(${text})::text || ':' || ${text}` : text;
    return column.notNull ? written : unlessNull(column, { written, otherwise: '~' });
  },
  quoted({ column, conversion }) {
    const { canonical } = conversion;
    const name = pgIdentifier(column.name);
    // The bytes themselves are what a person looks for, and what finds the row again.
    const text = isBytes(column) ? `'\\x' || encode(${name}, 'hex')` : canonical.postgres(name);
    const escaped = mayNeedEscape(conversion) ? `replace(replace(${text}, '\\', '\\\\'), '"', '\\"')` : text;
    const written = `'"' || ${escaped} || '"'`;
    return column.notNull ? written : unlessNull(column, { written, otherwise: 'null' });
  },
  join: (fields) => `concat_ws('|', ${fields.join(', ')})`,
  hash: (text) => `('x' || substr(md5(${text}), 1, 15))::bit(60)::bigint`,
  asText: (expression) => `(${expression})::text`,
  sum: (hash) => `coalesce(sum(${hash}), 0)`,
};

const CLICKHOUSE: Dialect = {
  field({ column, conversion: { canonical } }) {
    const name = chIdentifier(column.name);
    const text = canonical.clickhouse(column.notNull ? name : `assumeNotNull(${name})`);
    const written = canonical.open ? `concat(toString(length(${text})), ':', ${text})` : text;
    return column.notNull ? written : `if(isNull(${name}), '~', ${written})`;
  },
  quoted({ column, conversion }) {
    const { canonical } = conversion;
    const name = chIdentifier(column.name);
    const value = column.notNull ? name : `assumeNotNull(${name})`;
    const text = isBytes(column) ? `concat('\\\\x', lower(hex(${value})))` : canonical.clickhouse(value);
    const escaped = mayNeedEscape(conversion)
      ? `replaceAll(replaceAll(${text}, '\\\\', '\\\\\\\\'), '"', '\\\\"')`
      : text;
    const written = `concat('"', ${escaped}, '"')`;
    return column.notNull ? written : `if(isNull(${name}), 'null', ${written})`;
  },
  join: (fields) => `concat(${[...fields.flatMap((field) => [field, "'|'"]).slice(0, -1), "''"].join(', ')})`,
  hash: (text) => `bitShiftRight(byteSwap(reinterpretAsUInt64(MD5(${text}))), 4)`,
  asText: (expression) => `toString(${expression})`,
  sum: (hash) => `sum(toUInt128(${hash}))`,
};

/** IS NULL is true of a row of NULLs as well; IS DISTINCT FROM NULL means the value itself. */
function unlessNull(
  { name }: WrittenColumn['column'],
  { written, otherwise }: { written: string; otherwise: string },
): string {
  return `CASE WHEN ${pgIdentifier(name)} IS DISTINCT FROM NULL THEN ${written} ELSE '${otherwise}' END`;
}

function isBytes({ typeName }: WrittenColumn['column']): boolean {
  return typeName === 'bytea';
}

/** Numbers, dates and the like are written without quotes and backslashes. */
function mayNeedEscape({ type }: WrittenColumn['conversion']): boolean {
  return type.includes('String');
}
