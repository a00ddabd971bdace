import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type pg from 'pg';
import { pgIdentifier } from '../core/identifiers.ts';
import { type CsvTable, copyCsv, writeCsv } from './csv.ts';
import type { CreatedSource, CreateOptions } from './generator.ts';
import { type PreparedSource, prepareSource } from './source.ts';

const REPORT_MS = 1000;

/**
 * Makes a source from its schema and fills it, if every table is empty: writes one CSV file a table, then loads all of
 * them in one transaction, so that an interrupted run leaves the tables empty.
 * @param source.schema file URL of an idempotent source.sql.
 * @param source.tables in an order that foreign keys allow.
 */
export async function createSource(
  options: CreateOptions,
  source: { schema: URL; tables: readonly CsvTable[] },
): Promise<Omit<CreatedSource, 'env'> & PreparedSource> {
  const urls = await prepareSource(options, source.schema);
  const client = await options.open(urls.owner);
  try {
    const existing = await countRows(client, source.tables);
    if (Object.values(existing).some((rows) => rows > 0)) {
      options.onProgress?.('has data already');
      return { ...urls, generated: false, rows: existing };
    }
    await writeFiles(options, source.tables);
    return { ...urls, generated: true, rows: await loadFiles(client, options, source.tables) };
  } finally {
    await client.end();
  }
}

async function countRows(client: pg.Client, tables: readonly CsvTable[]): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { name } of tables) {
    const { rows } = await client.query<{ count: string }>(`SELECT count(*) FROM ${pgIdentifier(name)}`);
    counts[name] = Number(rows[0]?.count);
  }
  return counts;
}

async function writeFiles(options: CreateOptions, tables: readonly CsvTable[]): Promise<void> {
  await mkdir(options.folder, { recursive: true });
  for (const table of tables) {
    let reportDue = performance.now() + REPORT_MS;
    await writeCsv(fileOf(options, table), table, {
      ...(options.signal && { signal: options.signal }),
      onRows(rows) {
        if (performance.now() < reportDue) return;
        reportDue = performance.now() + REPORT_MS;
        options.onProgress?.(`${table.name}.csv, ${rows.toLocaleString('en')} rows`);
      },
    });
  }
}

async function loadFiles(
  client: pg.Client,
  options: CreateOptions,
  tables: readonly CsvTable[],
): Promise<Record<string, number>> {
  const loaded: Record<string, number> = {};
  await client.query('BEGIN');
  for (const table of tables) {
    const { signal } = options;
    loaded[table.name] = await copyCsv(client, { file: fileOf(options, table), table, ...(signal && { signal }) });
    options.onProgress?.(`${table.name} loaded, ${loaded[table.name]?.toLocaleString('en')} rows`);
  }
  await client.query('COMMIT');
  // Row estimates, for the progress of whoever copies the tables next.
  await client.query(`ANALYZE ${tables.map(({ name }) => pgIdentifier(name)).join(', ')}`);
  return loaded;
}

function fileOf({ folder }: CreateOptions, { name }: CsvTable): string {
  return join(folder, `${name}.csv`);
}
