import { DeadLetters } from '../../activities/deadLetters.ts';
import type { ClickHouse } from '../../adapters/clickhouse.ts';
import type { Environment } from '../../adapters/environment.ts';
import type { StreamView, Temporal } from '../../adapters/temporal.ts';
import { type NextRun, nextRuns } from '../../adapters/temporalSchedules.ts';
import { describeWork, type PendingActivity, type Work } from '../../adapters/temporalWork.ts';
import type {
  ConnectorHealth,
  CopyProgress,
  ResyncProgress,
  StreamProgress,
  SupervisorPhase,
  SupervisorStatus,
} from '../../core/activityTypes.ts';
import type { Pipeline, PipelineTable } from '../../core/definition.ts';
import { messageOf } from '../../core/errors.ts';
import { type Failure, failureOf } from '../../core/failures.ts';
import { chTable } from '../../core/identifiers.ts';
import { eventLanes, findLane, type Lane } from '../../core/lanes.ts';
import { scheduleIds, workflowIds } from '../../core/names.ts';
import { type RelayReport, readRelay } from './relayReport.ts';

/** What `tidegate status` says of a table; `--json` prints it as it is. */
export interface TableReport {
  table: string;
  load: 'stream' | 'reference' | 'events';
  target: string;
  phase: string;
  /** Rows that readers see now; null when ClickHouse has no such table or does not answer. */
  rows: number | null;
  /** While a copy runs: how far it is. */
  copied: { rows: number; estimatedRows: number } | null;
  /** Messages a second over the last ten seconds; stream tables only. */
  rate: number | null;
  lagMs: number | null;
  lastChangeAt: string | null;
  lastLsn: string | null;
  lastLoadAt: string | null;
  /** Messages that could not be loaded and have not been replayed; null when ClickHouse does not answer. */
  deadLetters: number | null;
  lastError: Pick<Failure, 'code' | 'message'> | null;
  next: NextRun | null;
}

/** What `tidegate status` says of a pipeline. */
export interface PipelineReport extends Omit<SupervisorStatus, 'phase' | 'since'> {
  phase: SupervisorPhase | 'not started';
  since: string | null;
  connector: ConnectorHealth | null;
  /** What the stream is trying again at the moment. */
  problem: string | null;
  /** The relay of its outboxes; null when it has none. */
  relay: RelayReport | null;
  verify: { next: NextRun | null; last: { status: string; at: string | null } | null };
  /** Why rows are missing in the report. */
  rowsUnknown: string | null;
  tables: TableReport[];
}

export interface StatusSources {
  environment: Environment;
  temporal: Temporal;
  clickhouse: ClickHouse;
}

/** Asks Temporal and ClickHouse about all pipelines. A ClickHouse that does not answer leaves the rows unknown. */
export async function readStatus(sources: StatusSources, pipelines: readonly Pipeline[]): Promise<PipelineReport[]> {
  const next = await nextRuns(sources.temporal.client);
  return await Promise.all(pipelines.map((pipeline) => readPipeline(sources, { pipeline, next })));
}

interface About {
  pipeline: Pipeline;
  next: ReadonlyMap<string, NextRun>;
}

async function readPipeline(sources: StatusSources, { pipeline, next }: About): Promise<PipelineReport> {
  const { client } = sources.temporal;
  const { name } = pipeline;
  const [view, snapshot, verify] = await Promise.all([
    sources.temporal.stream(name),
    describeWork(client, workflowIds.snapshot(name)),
    describeWork(client, workflowIds.verify(name)),
  ]);
  let rowsUnknown: string | null = null;
  const rows = async (name: string, final?: 'FINAL') => {
    try {
      return await countRows(sources.clickhouse, { database: pipeline.database, name, final });
    } catch (error) {
      rowsUnknown = messageOf(error);
      return null;
    }
  };
  const letters = await new DeadLetters(sources.clickhouse, pipeline).outstanding().catch((error) => {
    rowsUnknown = messageOf(error);
    return null;
  });
  const running = view?.status.resyncs.find(({ state }) => state === 'running');
  const resync = running ? await describeWork(client, workflowIds.resync(name, running.table)) : null;
  const lane = async (each: Lane) => {
    const { currentView, target } = each;
    const counted = await (currentView === null ? rows(target, 'FINAL') : rows(currentView));
    return streamTable(each, { view, snapshot, resync, rows: counted, letters });
  };
  const tables = await Promise.all([
    ...pipeline.tables.map(async (table) =>
      table.load === 'stream'
        ? await lane(findLane(pipeline, table.label))
        : await referenceTable(table, { sources, pipeline, next, rows: await rows(table.target) }),
    ),
    ...eventLanes(pipeline).map(lane),
  ]);
  const stream = heartbeatOf<StreamProgress>(view?.work, 'runStream');
  return {
    ...(view?.status ?? notStarted(name)),
    connector: heartbeatOf<ConnectorHealth>(view?.work, 'watchConnector'),
    problem: stream?.problem ?? null,
    relay: await readRelay(sources, pipeline),
    verify: {
      next: next.get(scheduleIds.verify(name)) ?? null,
      last: verify && { status: verify.status, at: verify.closedAt?.toISOString() ?? null },
    },
    rowsUnknown,
    tables,
  };
}

function notStarted(
  pipeline: string,
): Omit<PipelineReport, 'connector' | 'problem' | 'relay' | 'verify' | 'rowsUnknown' | 'tables'> {
  return {
    ...{ pipeline, phase: 'not started', since: null, reason: `Start it with: npx tidegate apply ${pipeline}` },
    ...{ lastError: null, retryAt: null, attempts: 0, definitionHash: null, snapshot: null },
    schema: { changes: [], aside: [] },
    ...{ streamed: [], resyncs: [], resynced: [] },
  };
}

function streamTable(
  table: Lane,
  {
    view,
    snapshot,
    resync,
    rows,
    letters,
  }: {
    view: StreamView | null;
    snapshot: Work | null;
    /** Of the resync that runs. */
    resync: Work | null;
    rows: number | null;
    letters: ReadonlyMap<string, number> | null;
  },
): TableReport {
  const phase = view?.status.phase ?? 'not started';
  const ofTable = (progress: CopyProgress | null) => progress?.tables.find((each) => each.table === table.label);
  const snapshotCopy = phase === 'snapshotting' ? ofTable(heartbeatOf<CopyProgress>(snapshot, 'copySnapshot')) : null;
  const wanted = view?.status.resyncs.find((each) => each.table === table.label);
  const resyncing = wanted?.state === 'running' ? heartbeatOf<ResyncProgress>(resync, 'resyncTable') : null;
  const copy = snapshotCopy ?? ofTable(resyncing);
  const progress = heartbeatOf<StreamProgress>(view?.work, 'runStream')?.tables[table.label];
  const aside = view?.status.schema.aside.find((each) => each.table === table.label);
  return {
    ...{
      table: table.label,
      load: table.kind === 'events' ? 'events' : 'stream',
      target: table.target,
      rows,
      lastLoadAt: null,
      lastError: aside
        ? { code: 'SCHEMA_DRIFT', message: aside.reason }
        : wanted?.state === 'failed'
          ? { code: 'RESYNC_FAILED', message: wanted.reason }
          : null,
      next: null,
    },
    deadLetters: letters && (letters.get(table.label) ?? 0),
    phase: aside
      ? 'left aside'
      : wanted
        ? `resync: ${wanted.state === 'running' ? (resyncing?.step ?? 'beginning') : wanted.state}`
        : snapshotCopy
          ? `snapshot: ${snapshotCopy.phase}`
          : phase,
    copied: copy ? { rows: copy.rows, estimatedRows: copy.estimatedRows } : null,
    rate: progress?.rate ?? null,
    lagMs: progress?.lagMs ?? null,
    lastChangeAt: progress?.lastCommitMs ? new Date(progress.lastCommitMs).toISOString() : null,
    lastLsn: progress?.lastLsn ?? null,
  };
}

const REFERENCE_PHASES: Record<string, string> = { RUNNING: 'loading', COMPLETED: 'loaded', TIMED_OUT: 'timed out' };

async function referenceTable(
  table: PipelineTable,
  { sources, pipeline, next, rows }: About & { sources: StatusSources; rows: number | null },
): Promise<TableReport> {
  const { client } = sources.temporal;
  const work = await describeWork(client, workflowIds.reference(pipeline.name, table.label));
  const copy = heartbeatOf<CopyProgress>(work, 'copyReference')?.tables[0];
  return {
    ...{ table: table.label, load: 'reference', target: table.target, rows },
    ...{ rate: null, lagMs: null, lastChangeAt: null, lastLsn: null, deadLetters: 0 },
    phase: work ? (REFERENCE_PHASES[work.status] ?? work.status.toLowerCase()) : 'never loaded',
    copied: copy ? { rows: copy.rows, estimatedRows: copy.estimatedRows } : null,
    lastLoadAt: work?.status === 'COMPLETED' ? (work.closedAt?.toISOString() ?? null) : null,
    lastError: work && (await lastErrorOf(client, work)),
    next: next.get(scheduleIds.reference(pipeline.name, table.label)) ?? null,
  };
}

/** Why a load failed, or why the one that runs is at a further attempt. */
async function lastErrorOf(client: Temporal['client'], work: Work): Promise<TableReport['lastError']> {
  if (work.status === 'RUNNING') {
    const failure = work.activities.find(({ lastFailure }) => lastFailure)?.lastFailure;
    return failure ? { code: failure.code, message: failure.message } : null;
  }
  if (work.status !== 'FAILED' && work.status !== 'TIMED_OUT') return null;
  try {
    await client.workflow.getHandle(work.workflowId, work.runId).result();
    return null;
  } catch (error) {
    const { code, message } = failureOf(error);
    return { code, message };
  }
}

function heartbeatOf<T>(work: Work | null | undefined, type: string): T | null {
  const found = work?.activities.find((activity: PendingActivity) => activity.type === type);
  return (found?.heartbeat ?? null) as T | null;
}

async function countRows(
  clickhouse: ClickHouse,
  { final, ...table }: { database: string; name: string; final: 'FINAL' | undefined },
): Promise<number | null> {
  if (!(await clickhouse.hasTable(table))) return null;
  const counted = await clickhouse.rows<{ rows: string }>(
    `SELECT count() AS rows FROM ${chTable(table)} ${final ?? ''}`,
  );
  return Number(counted[0]!.rows);
}
