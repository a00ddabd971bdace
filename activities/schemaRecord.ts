import type { ClickHouse } from '../adapters/clickhouse.ts';
import type { SchemaReport } from '../core/activityTypes.ts';
import type { Pipeline } from '../core/definition.ts';
import { chIdentifier, chTable } from '../core/identifiers.ts';
import { SCHEMA_TABLE } from '../core/names.ts';
import type { SchemaVersion } from '../core/schemaVersion.ts';

/** How many changes status and Web UI show. */
const SHOWN_CHANGES = 10;

/**
 * A row of the history. `schema` rows are written when a table's schema was followed; `files` rows only when its rows got
 * new files with no column touched (TRUNCATE, VACUUM FULL), so that a later change is not taken for a rewrite.
 */
interface HistoryRow {
  kind: 'schema' | 'files';
  table: string;
  lsn: string;
  columns: { attnum: number; name: string; type: string; not_null: boolean; default: string | null }[];
  changes: string[];
  aside: string;
  files: string;
  state: string;
}

/** The recorded versions of each stream table, the oldest first. Empty before the first snapshot. */
export type SchemaHistory = ReadonlyMap<string, readonly SchemaVersion[]>;

/** What has become of a table's schema, with the changes in words. */
export interface FollowedSchema {
  table: string;
  version: SchemaVersion;
  changes: readonly string[];
}

/** Appends what was followed: one row a table. Creates database and table when missing. */
export async function recordSchemas(
  clickhouse: ClickHouse,
  pipeline: Pipeline,
  { lsn, tables }: { lsn: string; tables: readonly FollowedSchema[] },
): Promise<void> {
  if (tables.length === 0) return;
  await clickhouse.command(`CREATE DATABASE IF NOT EXISTS ${chIdentifier(pipeline.database)}`);
  await clickhouse.command(
    `CREATE TABLE IF NOT EXISTS ${historyTable(pipeline)} (
      \`table\` String, recorded_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC'), lsn String,
      columns Array(Tuple(attnum Int16, name String, type String, not_null Bool, default Nullable(String))),
      changes Array(String), aside String, kind LowCardinality(String), files String, state String
    ) ENGINE = MergeTree ORDER BY (\`table\`, recorded_at)
    COMMENT 'Columns of the source''s stream tables in the course of time; the last row of kind schema counts'`,
  );
  const rows = tables.map(
    ({ table, version, changes }): HistoryRow => ({
      ...{ kind: 'schema', table, lsn, changes: [...changes], aside: version.aside ?? '', files: version.files },
      columns: version.source.columns.map((column) => ({
        ...{ attnum: column.attnum, name: column.name, type: column.type },
        ...{ not_null: column.notNull, default: column.default },
      })),
      state: JSON.stringify(version),
    }),
  );
  await append(clickhouse, pipeline, rows);
}

/** Notes that a table's rows have other files by now. */
export async function recordFiles(
  clickhouse: ClickHouse,
  pipeline: Pipeline,
  { table, files }: { table: string; files: string },
): Promise<void> {
  const empty = { lsn: '', columns: [], changes: [], aside: '', state: '' };
  await append(clickhouse, pipeline, [{ ...empty, kind: 'files', table, files }]);
}

/** Reads all that is recorded. */
export async function readHistory(clickhouse: ClickHouse, pipeline: Pipeline): Promise<SchemaHistory> {
  const rows = await readRows<Pick<HistoryRow, 'kind' | 'table' | 'files' | 'state'>>(
    clickhouse,
    pipeline,
    'kind, `table`, files, state',
  );
  const history = new Map<string, SchemaVersion[]>();
  for (const { kind, table, files, state } of rows) {
    const versions = history.get(table) ?? [];
    if (kind === 'schema') versions.push({ ...(JSON.parse(state) as SchemaVersion), files });
    else if (versions.length > 0) versions.push({ ...versions.pop()!, files });
    history.set(table, versions);
  }
  return history;
}

/** The last changes, the newest first, and the tables that are left aside, for people. */
export async function schemaReport(clickhouse: ClickHouse, pipeline: Pipeline): Promise<SchemaReport> {
  const rows = await readRows<Pick<HistoryRow, 'kind' | 'table' | 'changes' | 'aside'> & { recorded_at: string }>(
    clickhouse,
    pipeline,
    'kind, `table`, changes, aside, recorded_at',
  );
  const schemas = rows.filter(({ kind }) => kind === 'schema');
  const last = new Map(schemas.map((row) => [row.table, row]));
  return {
    changes: schemas
      .flatMap(({ table, changes, recorded_at }) =>
        changes.map((change) => ({ table, change, at: `${recorded_at.replace(' ', 'T')}Z` })),
      )
      .slice(-SHOWN_CHANGES)
      .reverse(),
    aside: [...last.values()].flatMap(({ table, aside }) => (aside === '' ? [] : [{ table, reason: aside }])),
  };
}

async function readRows<T>(clickhouse: ClickHouse, pipeline: Pipeline, columns: string): Promise<T[]> {
  if (!(await clickhouse.hasTable({ database: pipeline.database, name: SCHEMA_TABLE }))) return [];
  return await clickhouse.rows<T>(`SELECT ${columns} FROM ${historyTable(pipeline)} ORDER BY recorded_at`);
}

async function append(clickhouse: ClickHouse, pipeline: Pipeline, rows: readonly HistoryRow[]): Promise<void> {
  const body = Buffer.from(rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  await clickhouse.insert({
    into: historyTable(pipeline),
    columns: ['kind', 'table', 'lsn', 'columns', 'changes', 'aside', 'files', 'state'],
    format: 'JSONEachRow',
    body,
    settings: { async_insert: 0 },
  });
}

function historyTable({ database }: Pipeline): string {
  return chTable({ database, name: SCHEMA_TABLE });
}

/** Labels of the tables that are left aside. */
export async function tablesAside(clickhouse: ClickHouse, pipeline: Pipeline): Promise<Set<string>> {
  return new Set((await schemaReport(clickhouse, pipeline)).aside.map(({ table }) => table));
}
