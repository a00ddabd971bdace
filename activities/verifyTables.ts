import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { ClickHouseError } from '@clickhouse/client';
import { Context } from '@temporalio/activity';
import type pg from 'pg';
import { captureUrl } from '../adapters/captureUrl.ts';
import { readSourceTable } from '../adapters/postgres.ts';
import { CopySessions, tableFiles } from '../adapters/postgresCopySessions.ts';
import type { BatchActivities, TableVerification, VerifyProgress, VerifyReport } from '../core/activityTypes.ts';
import { type Pipeline, type PipelineTable, referenceTables, streamTables } from '../core/definition.ts';
import { TidegateError } from '../core/errors.ts';
import { formatLsn } from '../core/lsn.ts';
import { withHeartbeat } from './copyProgress.ts';
import { DeadLetters } from './deadLetters.ts';
import type { ActivityDeps } from './deps.ts';
import { schemaReport } from './schemaRecord.ts';
import { verifyEvents } from './verifyEvents.ts';
import { countHistory } from './verifyHistory.ts';
import { compareTable, dropScratch } from './verifyTablesCompare.ts';
import { waitForWatermark } from './watermark.ts';

/** ClickHouse's codes for a table, or a column, that is not there. */
const UNKNOWN_TABLE = '60';
const UNKNOWN_IDENTIFIER = '47';

/** How often a table is begun anew because it was altered or rewritten meanwhile. */
const MAX_BEGINNINGS = 10;
/** How long following a change of the schema may take. */
const EVOLVING_MS = 2000;

interface Verification {
  pipeline: Pipeline;
  progress: VerifyProgress;
  signal: AbortSignal;
  patienceMs: number | undefined;
  repair: boolean;
}

/**
 * The activity that compares every table of a pipeline with its source, by count and checksum, and finds the keys that
 * differ. A reference table is compared as it is, so what has changed at the source since its last load is a difference.
 * @param patienceMs how long the stream may stand still before it counts as paused.
 */
export function verifyTables(deps: ActivityDeps, patienceMs?: number): Pick<BatchActivities, 'verifyTables'> {
  return {
    async verifyTables(name, { repair } = { repair: false }): Promise<VerifyReport> {
      const { pipeline } = deps.definitions.get(name);
      const progress = progressOf(Context.current().info.heartbeatDetails);
      await withHeartbeat(
        () => progress,
        ({ signal }) => verifyPipeline(deps, { pipeline, progress, signal, patienceMs, repair }),
      );
      const { tables, lsn, startedAt } = progress;
      const seconds = (Date.now() - Date.parse(startedAt)) / 1000;
      return { pipeline: name, lsn: lsn!, ok: tables.every(({ equal }) => equal), tables, seconds };
    },
  };
}

/** What an attempt before has done is not done again. */
function progressOf(before: VerifyProgress | undefined): VerifyProgress {
  const counts = { rows: 0, estimatedRows: 0, keys: 0 };
  return (
    before ?? { comparing: null, ...counts, tables: [], lsn: null, startedAt: new Date().toISOString(), scan: null }
  );
}

async function verifyPipeline(deps: ActivityDeps, verification: Verification): Promise<void> {
  const { pipeline, progress, signal, patienceMs } = verification;
  if (pipeline.tables.length > 0) await verifyCopies(deps, verification);
  progress.lsn ??= new Date().toISOString();
  const done = new Set(progress.tables.map(({ table }) => table));
  for (const event of pipeline.events.filter(({ label }) => !done.has(label))) {
    progress.comparing = event.label;
    const patience = patienceMs !== undefined && { patienceMs };
    progress.tables.push(await verifyEvents(deps, { pipeline, event, signal, ...patience }));
  }
  progress.comparing = null;
  // Read last, so that one which was set aside meanwhile is counted.
  const letters = await new DeadLetters(deps.clickhouse, pipeline).outstanding();
  for (const each of progress.tables) {
    each.deadLetters = letters.get(each.table) ?? 0;
    if (each.load === 'history') each.equal = each.deadLetters === 0;
  }
}

async function verifyCopies(deps: ActivityDeps, verification: Verification): Promise<void> {
  const { pipeline, progress, signal, patienceMs } = verification;
  await using sessions = new CopySessions({
    url: captureUrl(deps.environment, pipeline),
    applicationName: `tidegate verify ${pipeline.name}`,
    signal,
  });
  const session = await sessions.open();
  const aside = new Map((await schemaReport(deps.clickhouse, pipeline)).aside.map((each) => [each.table, each.reason]));
  const wait = { pipeline, session, signal, aside: new Set(aside.keys()) };
  const reach = () => waitForWatermark(deps, { ...wait, ...(patienceMs !== undefined && { patienceMs }) });
  progress.lsn ??= formatLsn(await reach());
  const done = new Set(progress.tables.map(({ table }) => table));
  for (const table of [...streamTables(pipeline), ...referenceTables(pipeline)]) {
    if (done.has(table.label)) continue;
    const notCompared = aside.get(table.label);
    if (notCompared !== undefined) {
      progress.tables.push(leftAside(table, notCompared));
      continue;
    }
    progress.comparing = table.label;
    const started = performance.now();
    const compared = table.history
      ? await countHistory(deps.clickhouse, { database: pipeline.database, table }).catch((error) =>
          absentTarget(error, table),
        )
      : await compareAsItStands(deps, { ...verification, table, session, reach });
    const seconds = (performance.now() - started) / 1000;
    const load = table.history ? 'history' : table.load;
    progress.tables.push({
      ...{ table: table.label, load, notCompared: null, ...compared, deadLetters: 0, seconds },
    });
    progress.scan = null;
  }
}

/** Compares a table, again from the beginning when it was altered, truncated or rewritten while it was being read. */
async function compareAsItStands(
  deps: ActivityDeps,
  options: Verification & { table: PipelineTable; session: pg.Client; reach: () => Promise<unknown> },
): Promise<Awaited<ReturnType<typeof compareTable>>> {
  const { pipeline, table, session, signal } = options;
  const read = async () => {
    const source = await readSourceTable(session, table);
    return { source, catalog: JSON.stringify([source.columns, await tableFiles(session, [source.oid])]) };
  };
  for (let beginning = 1; ; beginning++) {
    const { source, catalog } = await read();
    const shape = { database: pipeline.database, table, source };
    options.progress.estimatedRows = Math.max(0, Math.round(source.estimatedRows));
    try {
      const result = await compareTable({ ...options, deps, shape, catalog: shortHash(catalog) });
      await dropScratch({ deps, shape });
      if (table.load === 'reference' || catalog === (await read()).catalog || beginning === MAX_BEGINNINGS)
        return result;
    } catch (error) {
      // What another attempt follows is taken up by it.
      const followed = isFollowed(error) || (signal.reason as Error | undefined)?.message === 'WORKER_SHUTDOWN';
      if (!followed) await dropScratch({ deps, shape }).catch(() => undefined);
      signal.throwIfAborted();
      const lacking = error instanceof ClickHouseError && error.code === UNKNOWN_IDENTIFIER && table.load === 'stream';
      const again = lacking || catalog !== (await read()).catalog;
      if (!again || beginning === MAX_BEGINNINGS) absentTarget(error, table);
      await sleep(EVOLVING_MS, undefined, { signal });
    }
  }
}

/** Whether Temporal tries again after it. */
function isFollowed(error: unknown): boolean {
  return error instanceof TidegateError ? error.retryable : !(error instanceof ClickHouseError);
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

function leftAside({ label, load }: PipelineTable, notCompared: string): TableVerification {
  const unknown = { sourceRows: null, targetRows: null, equal: false, differences: [], deadLetters: 0, seconds: 0 };
  return { table: label, load, notCompared, ...unknown, unsettled: 0, repaired: { keys: 0, shown: [] } };
}

/** A target that cannot be read as the source is now. */
function absentTarget(error: unknown, { label, load }: PipelineTable): never {
  if (!(error instanceof ClickHouseError)) throw error;
  const remedy = load === 'stream' ? 'Start the stream again: it prepares the target.' : `Load ${label} again.`;
  if (error.code === UNKNOWN_TABLE) {
    throw new TidegateError('NOT_STARTED', `${label} has no target table yet`, { remedy, cause: error });
  }
  if (error.code === UNKNOWN_IDENTIFIER) {
    const what = `the target of ${label} lacks columns that the source has now`;
    throw new TidegateError('SCHEMA_DRIFT', what, { remedy, cause: error });
  }
  throw error;
}
