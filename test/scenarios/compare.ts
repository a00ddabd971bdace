import type pg from 'pg';
import type { ClickHouse } from '../../adapters/clickhouse.ts';
import { chIdentifier, chTable, pgIdentifier, pgTable } from '../../core/identifiers.ts';
import { type Meaning, meaningOf } from './canonical.ts';

/** A table on both sides. */
export interface Compared {
  schema: string;
  name: string;
  /** The ClickHouse view with the current rows. */
  view: string;
}

interface Column {
  name: string;
  type: string;
  constrained: boolean;
  keyPosition: number | null;
}

type Row = (string | null)[];

/** Generated columns are left out: no stream carries them. Domains are taken for their base type. */
const COLUMNS_SQL = `
  WITH RECURSIVE base AS (
    SELECT a.attnum, a.attname, a.atttypid AS type, a.atttypmod AS typmod FROM pg_attribute a
    WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
    UNION ALL
    SELECT b.attnum, b.attname, t.typbasetype, t.typtypmod FROM base b JOIN pg_type t ON t.oid = b.type AND t.typtype = 'd'
  )
  SELECT b.attname AS name, t.typname AS type, b.typmod >= 0 AS constrained,
    array_position((SELECT i.indkey::int2[] FROM pg_index i WHERE i.indrelid = $1::regclass AND i.indisprimary), b.attnum)
      AS "keyPosition"
  FROM base b JOIN pg_type t ON t.oid = b.type AND t.typtype <> 'd' ORDER BY b.attnum`;

const SHOWN = 8;

/**
 * Reads a table's rows on both sides and compares them by key and value. Without a primary key the rows are compared as
 * a multiset.
 * @returns what differs, one line each; empty when the two are equal.
 */
export async function differences(
  { postgres, clickhouse, database }: { postgres: pg.Client; clickhouse: ClickHouse; database: string },
  table: Compared,
): Promise<string[]> {
  const source = pgTable(table);
  const { rows: columns } = await postgres.query<Column>(COLUMNS_SQL, [source]);
  const shape = await viewColumns(clickhouse, { database, view: table.view });
  const names = columns.map(({ name }) => name).sort();
  if (names.join() !== [...shape].sort().join()) {
    return [`columns: the source has ${names.join(', ')}; the view has ${shape.join(', ')}`];
  }
  const meanings = columns.map(({ type, constrained }) => meaningOf({ name: type, constrained }));
  const wanted = (await readSource(postgres, source, columns)).map((row) => mean(row, meanings, 'postgres'));
  const found = (await readTarget(clickhouse, chTable({ database, name: table.view }), columns)).map((row) =>
    mean(row, meanings, 'clickhouse'),
  );
  const lines = compareRows(columns, wanted, found);
  if (lines.length === 0) return [];
  return [
    `${wanted.length} rows at the source, ${found.length} in the view; ${lines.length} differ`,
    ...lines.slice(0, SHOWN),
  ];
}

async function viewColumns(
  clickhouse: ClickHouse,
  { database, view }: { database: string; view: string },
): Promise<string[]> {
  const rows = await clickhouse.rows<{ name: string }>(
    'SELECT name FROM system.columns WHERE database = {database:String} AND table = {view:String}',
    { params: { database, view } },
  );
  return rows.map(({ name }) => name);
}

async function readSource(postgres: pg.Client, source: string, columns: readonly Column[]): Promise<Row[]> {
  const selected = columns.map(({ name, type }) => `${pgIdentifier(name)}${type === 'hstore' ? '::json' : ''}`);
  const text = `SELECT ${selected.join(', ')} FROM ${source}`;
  const asText = { getTypeParser: () => (value: string) => value } as unknown as pg.CustomTypesConfig;
  const { rows } = await postgres.query<Row>({ text, rowMode: 'array', types: asText });
  return rows;
}

async function readTarget(clickhouse: ClickHouse, view: string, columns: readonly Column[]): Promise<Row[]> {
  const selected = columns.map(({ name, type }, index) => {
    const column = chIdentifier(name);
    return `${type === 'bytea' ? `hex(${column})` : `toString(${column})`} AS _c${index}`;
  });
  const rows = await clickhouse.rows<Record<string, string | null>>(`SELECT ${selected.join(', ')} FROM ${view}`);
  return rows.map((row) => columns.map((_, index) => row[`_c${index}`] as string | null));
}

function mean(row: Row, meanings: readonly Meaning[], side: keyof Meaning): Row {
  return row.map((value, index) => (value === null ? null : meanings[index]![side](value)));
}

function compareRows(columns: readonly Column[], wanted: readonly Row[], found: readonly Row[]): string[] {
  const key = columns.flatMap(({ keyPosition }, index) => (keyPosition === null ? [] : [index]));
  if (key.length === 0) return compareBags(wanted, found);
  const keyOf = (row: Row) => JSON.stringify(key.map((index) => row[index]));
  const lines: string[] = [];
  const targets = new Map<string, Row>();
  for (const row of found) {
    if (targets.has(keyOf(row))) lines.push(`${keyOf(row)}: twice in the view`);
    targets.set(keyOf(row), row);
  }
  for (const row of wanted) {
    const target = targets.get(keyOf(row));
    targets.delete(keyOf(row));
    if (!target) {
      lines.push(`${keyOf(row)}: missing in the view`);
      continue;
    }
    for (const [index, { name, type }] of columns.entries()) {
      if (row[index] === target[index]) continue;
      lines.push(
        `${keyOf(row)}: ${name} (${type}) is ${brief(row[index])} at the source, ${brief(target[index])} in the view`,
      );
    }
  }
  for (const extra of targets.keys()) lines.push(`${extra}: in the view only`);
  return lines;
}

function compareBags(wanted: readonly Row[], found: readonly Row[]): string[] {
  const counts = new Map<string, number>();
  for (const row of wanted) counts.set(JSON.stringify(row), (counts.get(JSON.stringify(row)) ?? 0) + 1);
  for (const row of found) counts.set(JSON.stringify(row), (counts.get(JSON.stringify(row)) ?? 0) - 1);
  return [...counts]
    .filter(([, count]) => count !== 0)
    .map(([row, count]) => `${brief(row)}: ${Math.abs(count)} too ${count > 0 ? 'few' : 'many'} in the view`);
}

function brief(value: string | null | undefined): string {
  if (value === null || value === undefined) return 'NULL';
  return value.length > 120
    ? `${JSON.stringify(value.slice(0, 120))}... (${value.length} characters)`
    : JSON.stringify(value);
}
