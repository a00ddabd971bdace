import type pg from 'pg';
import { readCatalog } from '../adapters/postgresCatalog.ts';
import { guarded } from '../adapters/postgresCopyErrors.ts';
import { lockTables } from '../adapters/postgresCopySessions.ts';
import { type Pipeline, type PipelineTable, streamTables } from '../core/definition.ts';
import { TidegateError } from '../core/errors.ts';
import { isRereadable, isUnsure, isVisible, rereadPlan, type UnsureMessage } from '../core/reread.ts';
import { isSameSchema } from '../core/schemaVersion.ts';
import { linesOf, type MessageBatch } from '../core/streamBuffer.ts';
import type { ActivityDeps } from './deps.ts';
import { catalogSession, driftOf } from './schemaDrift.ts';
import { readHistory } from './schemaRecord.ts';

type RereadDeps = Pick<ActivityDeps, 'clickhouse' | 'environment'>;

/** Rows that are held at a time: each may have a value of any size, so a batch with more is halved first. */
const MOST_ROWS = 100;

export type Reread = MessageBatch | 'too many' | null;

/** SQLSTATE class of values that PostgreSQL does not read, such as Debezium's date for infinity. */
const DATA_EXCEPTION = /^22/;

/**
 * Completes a refused batch of one stream table: messages that leave open what a value is take over the row that the
 * source has now, all by one query. See core/reread.ts.
 * @returns null when there are none, or none whose row can be found; `too many` when fewer have to be tried at a time.
 * @throws TidegateError SCHEMA_DRIFT when the table is no longer the one that the target was made for; or what can be tried
 * again: the source does not answer, or does not let others see yet what it has sent.
 */
export async function rereadRows(
  deps: RereadDeps,
  { pipeline, table }: { pipeline: Pipeline; table: PipelineTable },
  batch: MessageBatch,
): Promise<Reread> {
  const lines = linesOf(batch);
  const unsure = lines.flatMap((line, index) => (isUnsure(line) ? [index] : []));
  if (unsure.length === 0) return null;
  const last = (await readHistory(deps.clickhouse, pipeline)).get(table.label)?.at(-1);
  if (!last || !isRereadable({ table, source: last.source })) return null;
  const plan = rereadPlan({ table, source: last.source, era: last.era });
  const messages = new Map<number, UnsureMessage>();
  for (const index of unsure) {
    const message = plan.parse(lines[index]!);
    if (message) messages.set(index, message);
  }
  if (messages.size === 0) return null;
  if (messages.size > MOST_ROWS) return 'too many';

  const session = await catalogSession(deps, pipeline);
  try {
    await guarded(() => session.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY'));
    // Before the snapshot, and until the rows are read, so that they are of the catalog that is compared.
    await lockTables(session, [last.source]);
    await requireVisible(session, [...messages.values()]);
    if (!isSameSchema(last, await readCatalog(session, table))) throw driftOf([table.label]);
    const rows = await rowsNow(session, plan.sql, [...messages.values()]);
    if (!rows) return null;
    for (const [position, [index, message]] of [...messages].entries()) {
      lines[index] = message.complete(rows[position]!);
    }
  } finally {
    await session.end();
  }
  const bytes = lines.reduce((sum, line) => sum + line.length, 0);
  return { chunks: lines, rows: batch.rows, bytes };
}

async function requireVisible(session: pg.Client, messages: readonly UnsureMessage[]): Promise<void> {
  const { rows } = await guarded(() =>
    session.query<{ snapshot: string }>('SELECT pg_current_snapshot()::text AS snapshot'),
  );
  const hidden = messages.find(({ txId }) => !isVisible(rows[0]!.snapshot, txId));
  if (!hidden) return;
  throw new TidegateError('SERVICE_UNREACHABLE', `the source does not show yet what transaction ${hidden.txId} did`, {
    remedy: 'It is asked again. A synchronous standby that does not answer holds the transaction back.',
  });
}

/** The messages' rows in their order, as JSON text, null for one that is gone; null when PostgreSQL cannot read a key. */
async function rowsNow(
  session: pg.Client,
  sql: string,
  messages: readonly UnsureMessage[],
): Promise<(string | null)[] | null> {
  const keys = messages[0]!.key.map((_, part) => messages.map(({ key }) => key[part]!));
  try {
    const { rows } = await session.query<{ n: number; row: string | null }>(sql, keys);
    return rows.toSorted((a, b) => a.n - b.n).map(({ row }) => row);
  } catch (error) {
    if (DATA_EXCEPTION.test((error as { code?: string }).code ?? '')) return null;
    return await guarded(() => Promise.reject(error));
  }
}

/** As rereadRows, for the table of a label; null for what is no stream table. */
export function rereaderOf(
  deps: RereadDeps,
  pipeline: Pipeline,
  label: string,
): ((batch: MessageBatch) => Promise<Reread>) | null {
  const table = streamTables(pipeline).find((each) => each.label === label);
  return table ? (batch) => rereadRows(deps, { pipeline, table }, batch) : null;
}
