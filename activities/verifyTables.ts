import { ClickHouseError } from '@clickhouse/client';
import { captureUrl } from '../adapters/captureUrl.ts';
import { readSourceTable } from '../adapters/postgres.ts';
import { CopySessions } from '../adapters/postgresCopySessions.ts';
import type { BatchActivities, TableVerification, VerifyReport } from '../core/activityTypes.ts';
import { verifySql } from '../core/canonical.ts';
import { type Pipeline, type PipelineTable, streamTables } from '../core/definition.ts';
import { TidegateError } from '../core/errors.ts';
import { formatLsn, type Lsn } from '../core/lsn.ts';
import { withHeartbeat } from './copyProgress.ts';
import { DeadLetters } from './deadLetters.ts';
import type { ActivityDeps } from './deps.ts';
import { schemaReport } from './schemaRecord.ts';
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
    url: captureUrl(deps.environment, pipeline),
    applicationName: `tidegate verify ${pipeline.name}`,
    signal,
  });
  const session = await sessions.open();
  const aside = new Map((await schemaReport(deps.clickhouse, pipeline)).aside.map((each) => [each.table, each.reason]));
  const wait = { pipeline, session, signal, aside: new Set(aside.keys()) };
  const reach = () => waitForWatermark(deps, { ...wait, ...(patienceMs !== undefined && { patienceMs }) });
  const lsn = await reach();
  for (const table of [...streamTables(pipeline), ...pipeline.tables.filter(({ load }) => load === 'reference')]) {
    const notCompared = aside.get(table.label);
    if (notCompared !== undefined) {
      progress.tables.push(leftAside(table, notCompared));
      continue;
    }
    progress.comparing = table.label;
    const started = performance.now();
    const source = await readSourceTable(session, table);
    const compared = await compareTable({
      sql: verifySql({ database: pipeline.database, table, source }),
      estimatedRows: source.estimatedRows,
      session,
      clickhouse: deps.clickhouse,
      signal,
      // Only the stream catches up while it is compared.
      reach: table.load === 'stream' ? reach : null,
    }).catch((error) => absentTarget(error, table));
    progress.tables.push({
      ...{ table: table.label, load: table.load, notCompared: null, ...compared },
      ...{ deadLetters: 0, seconds: secondsSince(started) },
    });
  }
  progress.comparing = null;
  // Read last, so that one which was set aside meanwhile is counted.
  const letters = await new DeadLetters(deps.clickhouse, pipeline).outstanding();
  for (const each of progress.tables) each.deadLetters = letters.get(each.table) ?? 0;
  return lsn;
}

function leftAside({ label, load }: PipelineTable, notCompared: string): TableVerification {
  const unknown = { sourceRows: null, targetRows: null, equal: false, differences: [], deadLetters: 0, seconds: 0 };
  return { table: label, load, notCompared, ...unknown };
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
