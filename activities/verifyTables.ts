import { ClickHouseError } from '@clickhouse/client';
import type { ClickHouse } from '../adapters/clickhouse.ts';
import { readSourceTable } from '../adapters/postgres.ts';
import { CopySessions } from '../adapters/postgresCopySessions.ts';
import type { BatchActivities, TableVerification, VerifyReport } from '../core/activityTypes.ts';
import { verifySql } from '../core/canonical.ts';
import { historyRows } from '../core/ddlHistory.ts';
import { type Pipeline, type PipelineTable, streamTables } from '../core/definition.ts';
import { TidegateError } from '../core/errors.ts';
import { formatLsn, type Lsn } from '../core/lsn.ts';
import { withHeartbeat } from './copyProgress.ts';
import { DeadLetters } from './deadLetters.ts';
import type { ActivityDeps } from './deps.ts';
import { compareTable } from './verifyTablesCompare.ts';
import { waitForWatermark } from './watermark.ts';

/** ClickHouse's codes for a table, or a column, that is not there. */
const UNKNOWN_TABLE = '60';
const UNKNOWN_IDENTIFIER = '47';

/** Heartbeat: the tables compared so far, and the one that is being compared. */
interface VerifyProgress {
  comparing: string | null;
  tables: TableVerification[];
}

/**
 * The activity that compares every table of a pipeline with its source, by count and checksum, and finds the keys that
 * differ. A reference table is compared as it is, so what has changed at the source since its last load is a difference.
 * @param patienceMs how long the stream may stand still before it counts as paused.
 */
export function verifyTables(deps: ActivityDeps, patienceMs?: number): Pick<BatchActivities, 'verifyTables'> {
  return {
    async verifyTables(name): Promise<VerifyReport> {
      const { pipeline } = deps.definitions.get(name);
      const started = performance.now();
      const progress: VerifyProgress = { comparing: null, tables: [] };
      const lsn = await withHeartbeat(
        () => progress,
        ({ signal }) => verifyPipeline(deps, { pipeline, progress, signal, patienceMs }),
      );
      const { tables } = progress;
      const ok = tables.every(({ equal }) => equal);
      return { pipeline: name, lsn: formatLsn(lsn), ok, tables, seconds: secondsSince(started) };
    },
  };
}

async function verifyPipeline(
  deps: ActivityDeps,
  options: { pipeline: Pipeline; progress: VerifyProgress; signal: AbortSignal; patienceMs: number | undefined },
): Promise<Lsn> {
  const { pipeline, progress, signal, patienceMs } = options;
  await using sessions = new CopySessions({
    url: deps.environment.url(pipeline.source.captureUrl),
    applicationName: `tidegate verify ${pipeline.name}`,
    signal,
  });
  const session = await sessions.open();
  const reach = () =>
    waitForWatermark(deps, { pipeline, session, signal, ...(patienceMs !== undefined && { patienceMs }) });
  const lsn = await reach();
  for (const table of [...streamTables(pipeline), ...pipeline.tables.filter(({ load }) => load === 'reference')]) {
    progress.comparing = table.label;
    const started = performance.now();
    const compare = async () => {
      const { clickhouse } = deps;
      if (table.history) return await countHistory(clickhouse, { database: pipeline.database, table });
      const source = await readSourceTable(session, table);
      const sql = verifySql({ database: pipeline.database, table, source });
      const { estimatedRows } = source;
      // Only the stream catches up while it is compared.
      return await compareTable({
        ...{ sql, estimatedRows, session, clickhouse, signal, reach: table.load === 'stream' ? reach : null },
      });
    };
    const compared = await compare().catch((error) => absentTarget(error, table));
    progress.tables.push({
      ...{ table: table.label, load: table.load, ...compared, deadLetters: 0, seconds: secondsSince(started) },
    });
  }
  progress.comparing = null;
  // Read last, so that one which was set aside meanwhile is counted.
  const letters = await new DeadLetters(deps.clickhouse, pipeline).outstanding();
  for (const each of progress.tables) {
    each.deadLetters = letters.get(each.table) ?? 0;
    if (each.sourceRows === null) each.equal = each.deadLetters === 0;
  }
  return lsn;
}

async function countHistory(
  clickhouse: ClickHouse,
  shape: { database: string; table: PipelineTable },
): Promise<Pick<TableVerification, 'sourceRows' | 'targetRows' | 'equal' | 'differences'>> {
  const [counted] = await clickhouse.rows<{ rows: string }>(`SELECT count() AS rows FROM ${historyRows(shape)}`);
  return { sourceRows: null, targetRows: Number(counted!.rows), equal: true, differences: [] };
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

function secondsSince(started: number): number {
  return (performance.now() - started) / 1000;
}
