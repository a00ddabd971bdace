import type pg from 'pg';
import type { ClickHouse, ClickHouseSettings } from '../adapters/clickhouse.ts';
import { copyOut } from '../adapters/postgresCopy.ts';
import type { SourceTable } from '../core/catalog.ts';
import type { CopyTally } from '../core/copyTally.ts';
import { ctidRanges } from '../core/ctidRanges.ts';
import { COPY_SETTINGS, copySelect } from '../core/ddlCopy.ts';
import { TidegateError } from '../core/errors.ts';

/** Connections that read a source side by side: more gain nothing, and are felt there. */
export const MAX_CONNECTIONS = 4;

/** One COPY into one INSERT: a whole table, or a range of its pages. */
export interface CopyPart {
  /** The table, as CopyTally knows it. */
  table: string;
  /** The SELECT inside COPY. */
  select: string;
  /** Quoted name of the landing table, and its columns in the order of the SELECT. */
  landing: string;
  columns: readonly string[];
}

/**
 * The insert is one request whose blocks are flushed by size, so that memory is bounded for rows of any width. Parts run
 * side by side, so each is parsed by one thread.
 */
const INSERT_SETTINGS: ClickHouseSettings = {
  ...COPY_SETTINGS,
  input_format_allow_errors_num: 0,
  input_format_parallel_parsing: 0,
  min_insert_block_size_rows: 524_288,
  min_insert_block_size_bytes: 134_217_728,
};

/** Splits a table into the parts that may be copied side by side under one snapshot. */
export function partsOf(options: {
  table: string;
  source: SourceTable;
  path: { landing: string; columns: readonly string[] };
  serverVersion: number;
}): CopyPart[] {
  const { table, source, path, serverVersion } = options;
  const part = { table, landing: path.landing, columns: path.columns };
  const ranges = ctidRanges(source, { connections: MAX_CONNECTIONS, serverVersion });
  if (ranges.length === 0) return [{ ...part, select: copySelect(source) }];
  return ranges.map((range) => ({ ...part, select: copySelect(source, range) }));
}

/**
 * Copies one part: the bytes go from the source's socket into ClickHouse's, at the speed of the slower.
 * @throws TidegateError SHORT_LOAD unless the rows that passed, the source's row tag and the rows that ClickHouse read
 * are one number; the source's own error when it failed. Blocks that were written before a failure stay.
 */
export async function copyPart(options: {
  session: pg.Client;
  clickhouse: ClickHouse;
  part: CopyPart;
  tally: CopyTally;
  signal: AbortSignal;
}): Promise<void> {
  const { session, clickhouse, part, tally, signal } = options;
  signal.throwIfAborted();
  const copy = copyOut(session, { select: part.select, onChunk: (passed) => tally.add(part.table, passed) });
  try {
    const { readRows } = await clickhouse.insert({
      into: part.landing,
      columns: part.columns,
      format: 'TabSeparated',
      body: copy.body,
      settings: INSERT_SETTINGS,
      signal,
    });
    const { rows } = copy.passed();
    if (readRows !== rows) {
      throw new TidegateError('SHORT_LOAD', `${part.table}: ClickHouse read ${readRows} rows of ${rows} sent`, {
        remedy: 'Nothing was taken over; the copy is made again.',
      });
    }
    tally.partDone(part.table);
  } catch (error) {
    copy.body.destroy();
    throw copy.failure() ?? error;
  }
}

/**
 * Copies the parts, in their order, one at a time on each session. The first failure stops the others; it is thrown when
 * all have stopped. The sessions are then to be ended.
 */
export async function copyParts(options: {
  sessions: readonly pg.Client[];
  clickhouse: ClickHouse;
  parts: readonly CopyPart[];
  tally: CopyTally;
  signal: AbortSignal;
}): Promise<void> {
  const { sessions, clickhouse, parts, tally } = options;
  const failed = new AbortController();
  const signal = AbortSignal.any([options.signal, failed.signal]);
  const waiting = [...parts];
  const work = async (session: pg.Client) => {
    for (let part = waiting.shift(); part; part = waiting.shift()) {
      await copyPart({ session, clickhouse, part, tally, signal });
    }
  };
  const fail = (error: unknown) => {
    if (!failed.signal.aborted) failed.abort(error);
  };
  await Promise.all(sessions.map((session) => work(session).catch(fail)));
  options.signal.throwIfAborted();
  failed.signal.throwIfAborted();
}

/** Rows that a table holds, deleted and superseded ones included. */
export async function countRows(clickhouse: ClickHouse, table: string, signal: AbortSignal): Promise<number> {
  const [counted] = await clickhouse.rows<{ rows: string }>(`SELECT count() AS rows FROM ${table}`, { signal });
  return Number(counted!.rows);
}

/** @throws TidegateError SHORT_LOAD when the target does not hold exactly the copied rows. */
export async function requireRows(options: {
  clickhouse: ClickHouse;
  /** Quoted name. */
  target: string;
  table: string;
  rows: number;
  signal: AbortSignal;
}): Promise<void> {
  const found = await countRows(options.clickhouse, options.target, options.signal);
  if (found === options.rows) return;
  const what = `${options.table}: ${options.rows} rows were copied, but ${options.target} holds ${found}`;
  throw new TidegateError('SHORT_LOAD', what, {
    remedy: 'Nothing was taken over; the copy is made again. See that nothing else writes into this table.',
  });
}
