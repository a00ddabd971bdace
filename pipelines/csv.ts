import { createReadStream, createWriteStream } from 'node:fs';
import { rename } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { pgIdentifier } from '../core/identifiers.ts';

/** A table's rows on their way into a CSV file. */
export interface CsvTable {
  name: string;
  columns: readonly string[];
  /** Values in the order of the columns; null is written as nothing, an empty string as `""`. */
  rows: Iterable<readonly CsvValue[]>;
}

export type CsvValue = string | number | null;

/** Large enough that a write costs little beside its rows, small enough to count for nothing in memory. */
const CHUNK_CHARACTERS = 65_536;

/**
 * Writes a header and the rows. The file appears under its name only when it is whole.
 * @param options.onRows called with the rows written so far, once a chunk.
 */
export async function writeCsv(
  file: string,
  table: CsvTable,
  options: { signal?: AbortSignal; onRows?: (rows: number) => void } = {},
): Promise<void> {
  const draft = `${file}.part`;
  await pipeline(Readable.from(chunks(table, options.onRows)), createWriteStream(draft), { signal: options.signal });
  await rename(draft, file);
}

function* chunks({ columns, rows }: CsvTable, onRows?: (rows: number) => void): Generator<string> {
  let text = lineOf(columns);
  let count = 0;
  for (const row of rows) {
    text += lineOf(row);
    count++;
    if (text.length < CHUNK_CHARACTERS) continue;
    yield text;
    onRows?.(count);
    text = '';
  }
  yield text;
}

function lineOf(values: readonly CsvValue[]): string {
  let line = '';
  for (let index = 0; index < values.length; index++) {
    if (index > 0) line += ',';
    const value = values[index];
    if (typeof value === 'string') line += quoted(value);
    else if (typeof value === 'number') line += value;
  }
  return `${line}\n`;
}

function quoted(text: string): string {
  return text === '' || /[",\n\r\\]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * Loads a file that writeCsv made, by COPY.
 * @returns the number of rows that PostgreSQL stored.
 */
export async function copyCsv(
  client: pg.Client,
  options: { file: string; table: Pick<CsvTable, 'name' | 'columns'>; signal?: AbortSignal },
): Promise<number> {
  const { file, table, signal } = options;
  const columns = table.columns.map(pgIdentifier).join(', ');
  const copy = client.query(
    copyFrom(`COPY ${pgIdentifier(table.name)} (${columns}) FROM STDIN (FORMAT csv, HEADER match)`),
  );
  await pipeline(createReadStream(file, { highWaterMark: 262_144 }), copy, { signal });
  return copy.rowCount;
}
