import type { ClickHouse } from '../adapters/clickhouse.ts';
import { connectPostgres } from '../adapters/postgres.ts';
import { readSlot, sourceIdentity } from '../adapters/replication.ts';
import { storedConnectorLsn } from '../adapters/replicationOffsets.ts';
import { type Pipeline, streamTables } from '../core/definition.ts';
import { TidegateError } from '../core/errors.ts';
import { chIdentifier, chTable } from '../core/identifiers.ts';
import { formatLsn, type Lsn, parseLsn } from '../core/lsn.ts';
import { SNAPSHOTS_TABLE } from '../core/names.ts';
import { judgeSnapshot, type SnapshotJudgement, type SnapshotRecord } from '../core/snapshotState.ts';
import type { ActivityDeps } from './deps.ts';
import { tablesAside } from './schemaRecord.ts';

/** What is recorded of a finished copy. */
export interface FinishedSnapshot {
  /** Cluster and database, from sourceIdentity. */
  source: string;
  consistentPoint: Lsn;
  /** The version of the copied rows. */
  lsn: Lsn;
  definitionHash: string;
  tables: readonly { table: string; target: string; rows: number; bytes: number }[];
}

/**
 * A row of the log. An attempt to copy all tables writes one `started`, then one `finished` a table. After it, rows of one
 * table each: `resyncing` when a resync begins, `swapping` right before its staging table takes the target's place,
 * `resynced` when that is done; `removed` before a table leaves the publication, and `stale` when its rows were rewritten
 * without an event.
 */
interface LogRow {
  slot: string;
  state: 'started' | 'finished' | 'resyncing' | 'swapping' | 'resynced' | 'removed' | 'stale';
  /** The workflow run that a resync belongs to. */
  run: string;
  source: string;
  consistent_point: string;
  lsn: string;
  table: string;
  target_uuid: string;
  rows: number;
  bytes: number;
  definition_hash: string;
}

/** Notes that an attempt begins, which makes every earlier snapshot of the slot void. Creates database and log when missing. */
export async function recordSnapshotStart(clickhouse: ClickHouse, pipeline: Pipeline): Promise<void> {
  const { database } = pipeline;
  await clickhouse.command(`CREATE DATABASE IF NOT EXISTS ${chIdentifier(database)}`);
  await clickhouse.command(
    `CREATE TABLE IF NOT EXISTS ${logTable(pipeline)} (
      slot String, state LowCardinality(String), run String, source String, consistent_point String, lsn String, \`table\` String,
      target_uuid String, rows UInt64, bytes UInt64, definition_hash String,
      recorded_at DateTime64(6, 'UTC')
    ) ENGINE = MergeTree ORDER BY (slot, recorded_at, \`table\`)
    COMMENT 'Attempts to copy the stream tables; the last one of a slot counts, and what came of single tables since'`,
  );
  await append(clickhouse, pipeline, [{ ...EMPTY, slot: pipeline.stream.slot, state: 'started' }]);
}

const EMPTY = {
  ...{ source: '', run: '', consistent_point: '', lsn: '', table: '', target_uuid: '', definition_hash: '' },
  ...{ rows: 0, bytes: 0 },
};

/** What is noted of a single table. */
export interface TableNote {
  state: 'resyncing' | 'swapping' | 'resynced' | 'removed' | 'stale';
  table: string;
  run?: string;
  lsn?: Lsn;
  targetUuid?: string;
  rows?: number;
  bytes?: number;
}

/** Notes what has become of single tables since the last snapshot; nothing where none was ever begun. */
export async function noteTables(
  clickhouse: ClickHouse,
  pipeline: Pipeline,
  notes: readonly TableNote[],
): Promise<void> {
  if (notes.length === 0 || !(await hasLog(clickhouse, pipeline))) return;
  const { slot } = pipeline.stream;
  const rows = notes.map(({ lsn, targetUuid = '', ...note }): LogRow => {
    return { ...EMPTY, ...note, slot, target_uuid: targetUuid, lsn: lsn === undefined ? '' : formatLsn(lsn) };
  });
  await append(clickhouse, pipeline, rows);
}

/**
 * Notes which tables the definition streams no more: from here on their changes are missed, though they may be published
 * still. Done again, it notes nothing more.
 */
export async function noteRemoved(clickhouse: ClickHouse, pipeline: Pipeline): Promise<void> {
  const recorded = (await lastRecord(clickhouse, pipeline))?.tables ?? [];
  const streamed = new Set(streamTables(pipeline).map(({ label }) => label));
  const removed = recorded.filter(({ table }) => table !== '' && !streamed.has(table));
  await noteTables(
    clickhouse,
    pipeline,
    removed.map(({ table }) => ({ state: 'removed', table })),
  );
}

/** What the resync of a table by this workflow run has written down last before it swapped; null when it did not. */
export async function swapOf(
  clickhouse: ClickHouse,
  pipeline: Pipeline,
  { table, run }: { table: string; run: string },
): Promise<{ lsn: Lsn; targetUuid: string; rows: number; bytes: number } | null> {
  if (!(await hasLog(clickhouse, pipeline))) return null;
  const [last] = await clickhouse.rows<LogRow>(
    `SELECT * FROM ${logTable(pipeline)} WHERE slot = {slot:String} AND \`table\` = {table:String} AND run = {run:String}
     AND state = 'swapping' ORDER BY recorded_at DESC LIMIT 1`,
    { params: { slot: pipeline.stream.slot, table, run } },
  );
  if (!last) return null;
  const { lsn, target_uuid, rows, bytes } = last;
  return { lsn: parseLsn(lsn), targetUuid: target_uuid, rows: Number(rows), bytes: Number(bytes) };
}

/** Notes that the attempt has copied all its tables. */
export async function recordSnapshot(
  clickhouse: ClickHouse,
  pipeline: Pipeline,
  done: FinishedSnapshot,
): Promise<void> {
  const uuids = await targetUuids(clickhouse, pipeline);
  const rows = done.tables.map(
    ({ table, target, rows, bytes }): LogRow => ({
      run: '',
      slot: pipeline.stream.slot,
      state: 'finished',
      source: done.source,
      consistent_point: formatLsn(done.consistentPoint),
      lsn: formatLsn(done.lsn),
      table,
      target_uuid: uuids.get(target) ?? '',
      rows,
      bytes,
      definition_hash: done.definitionHash,
    }),
  );
  await append(clickhouse, pipeline, rows);
}

/**
 * Whether the pipeline's slot continues a finished snapshot, and which tables have to be loaded by themselves. A pipeline
 * without stream tables needs none. Reads only.
 */
export async function snapshotState(deps: ActivityDeps, pipeline: Pipeline): Promise<SnapshotJudgement> {
  const aside = await tablesAside(deps.clickhouse, pipeline);
  const tables = streamTables(pipeline).filter(({ label }) => !aside.has(label));
  if (tables.length === 0) return { finished: true, reason: 'no table is streamed', resync: [] };
  const replicas = tables.filter(({ history }) => history === null);
  const session = await connectPostgres(deps.environment.url(pipeline.source.captureUrl), {
    applicationName: `tidegate ${pipeline.name}`,
  });
  try {
    const source = await sourceIdentity(session);
    // The slot first: what the connector has stored only grows, so what is read later bounds it.
    const slot = await readSlot(session, pipeline.stream.slot);
    const connectorLsn = slot ? await connectorLsnIfReachable(deps, pipeline) : undefined;
    const uuids = await targetUuids(deps.clickhouse, pipeline);
    return judgeSnapshot({
      slot: slot && { name: pipeline.stream.slot, ...slot },
      record: await lastRecord(deps.clickhouse, pipeline),
      source,
      // Nothing is copied into a history, so one may begin, or begin anew, while the slot goes on.
      tables: replicas.map(({ label, target }) => ({ table: label, targetUuid: uuids.get(target) ?? null })),
      connectorLsn,
    });
  } finally {
    await session.end();
  }
}

/**
 * Without Kafka Connect the rest of the evidence decides: nothing reads the slot then, what waits in Kafka may still land,
 * and a connector refuses to go on from a slot that began after its own position.
 */
async function connectorLsnIfReachable(deps: ActivityDeps, pipeline: Pipeline): Promise<Lsn | null | undefined> {
  try {
    return await storedConnectorLsn(deps.environment, pipeline.stream.connector);
  } catch (error) {
    if (error instanceof TidegateError && error.code === 'SERVICE_UNREACHABLE') return undefined;
    throw error;
  }
}

async function hasLog(clickhouse: ClickHouse, { database }: Pipeline): Promise<boolean> {
  return await clickhouse.hasTable({ database, name: SNAPSHOTS_TABLE });
}

async function lastRecord(clickhouse: ClickHouse, pipeline: Pipeline): Promise<SnapshotRecord | null> {
  if (!(await hasLog(clickhouse, pipeline))) return null;
  const log = logTable(pipeline);
  const whole = "slot = {slot:String} AND state IN ('started', 'finished')";
  const rows = await clickhouse.rows<LogRow>(
    `SELECT * FROM ${log} WHERE slot = {slot:String}
     AND recorded_at >= (SELECT max(recorded_at) FROM ${log} WHERE ${whole}) ORDER BY recorded_at`,
    { params: { slot: pipeline.stream.slot } },
  );
  const attempt = rows.filter(({ state }) => state === 'started' || state === 'finished');
  const [last] = attempt;
  if (!last) return null;
  const finished = attempt.every(({ state }) => state === 'finished');
  const targets = new Map(attempt.map(({ table, target_uuid }) => [table, target_uuid]));
  for (const { state, table, target_uuid } of rows) {
    if (state === 'resynced') targets.set(table, target_uuid);
    else if (state === 'removed' || state === 'stale') targets.delete(table);
  }
  return {
    source: last.source,
    finished,
    consistentPoint: finished ? parseLsn(last.consistent_point) : 0n,
    tables: [...targets].map(([table, targetUuid]) => ({ table, targetUuid })),
  };
}

async function append(clickhouse: ClickHouse, pipeline: Pipeline, rows: readonly LogRow[]): Promise<void> {
  const [{ at }] = (await clickhouse.rows<{ at: string }>("SELECT toString(now64(6, 'UTC')) AS at")) as [
    { at: string },
  ];
  const body = Buffer.from(rows.map((row) => `${JSON.stringify({ ...row, recorded_at: at })}\n`).join(''));
  await clickhouse.insert({ into: logTable(pipeline), format: 'JSONEachRow', body, settings: { async_insert: 0 } });
}

/** UUIDs of what there is in the pipeline's database, by name. */
export async function targetUuids(clickhouse: ClickHouse, { database }: Pipeline): Promise<Map<string, string>> {
  return new Map((await clickhouse.tables(database)).map(({ name, uuid }) => [name, uuid]));
}

function logTable({ database }: Pipeline): string {
  return chTable({ database, name: SNAPSHOTS_TABLE });
}
