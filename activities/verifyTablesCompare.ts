import { captureUrl } from '../adapters/captureUrl.ts';
import { guarded } from '../adapters/postgresCopyErrors.ts';
import { CopySessions } from '../adapters/postgresCopySessions.ts';
import { currentInsertLsn } from '../adapters/replication.ts';
import type { TableVerification, VerifyProgress, VerifyScan } from '../core/activityTypes.ts';
import { type VerifySql, verifySql } from '../core/canonical.ts';
import { newToken } from '../core/copyAttempt.ts';
import { CONVERSION_SETTINGS, type TargetShape } from '../core/ddl.ts';
import type { Pipeline } from '../core/definition.ts';
import { chTable } from '../core/identifiers.ts';
import { formatLsn, parseLsn, versionOf } from '../core/lsn.ts';
import type { Difference } from '../core/tableDiff.ts';
import { type ScratchSql, SOURCE, scratchName, scratchSql, scratchTables, TARGET } from '../core/verifyScratch.ts';
import { MEANT, runAll } from './copyTarget.ts';
import type { ActivityDeps } from './deps.ts';
import { type Judged, judgeKeys, openLookups } from './verifyTablesJudge.ts';
import { repairKeys } from './verifyTablesRepair.ts';
import { keepDoneParts, planScan, scanSource } from './verifyTablesScan.ts';

/** How many keys a report lists. */
const MAX_SHOWN = 20;
/** Keys that are read again together, and the bytes that they may have. */
const KEYS_PER_BATCH = 10_000;
const BYTES_PER_BATCH = 8_000_000;

export interface Comparison {
  deps: ActivityDeps;
  pipeline: Pipeline;
  shape: TargetShape;
  /** Digest of the source's columns and files: another one means that the table is another now. */
  catalog: string;
  progress: VerifyProgress;
  signal: AbortSignal;
  repair: boolean;
  /** Waits until the target has all that is at the source now. */
  reach: () => Promise<unknown>;
}

type Result = Pick<TableVerification, 'sourceRows' | 'targetRows' | 'equal' | 'differences' | 'unsettled' | 'repaired'>;

/**
 * Compares one table. Key and hash of every row of both sides are brought into a scratch table in ClickHouse; what differs
 * there may only have changed meanwhile, so these keys are read again on both sides until they are judged. A reference
 * table does not change by itself: it is read in one snapshot, and what differs is a difference.
 */
export async function compareTable(comparison: Comparison): Promise<Result> {
  const { deps, pipeline, shape, progress, signal, catalog } = comparison;
  const { clickhouse } = deps;
  await using sessions = new CopySessions({
    url: captureUrl(deps.environment, pipeline),
    applicationName: `tidegate verify ${pipeline.name} ${shape.table.label}`,
    signal,
  });
  const session = await sessions.open();
  const sql = verifySql(shape);
  const stream = shape.table.load === 'stream';
  const resumed = stream && progress.scan?.catalog === catalog ? await takeUp(comparison, sql) : null;
  const scan = resumed ?? {
    ...{ token: newToken(), catalog, startLsn: formatLsn(await currentInsertLsn(session)) },
    ...(await planScan(session, shape.source)),
  };
  const scratch = scratchSql(shape, sql, scan.token);
  if (!resumed) {
    progress.rows = 0;
    const rows = isSmall(scan) ? await equalRows({ session, clickhouse, sql, signal }) : null;
    if (rows !== null) return { sourceRows: rows, targetRows: rows, ...NOTHING_DIFFERS };
    await dropScratch(comparison);
    await runAll(clickhouse, scratch.create, signal);
  }
  progress.scan = stream ? scan : null;
  progress.keys = 0;
  const scanned = { session, clickhouse, label: shape.table.label, sql, scratch, progress, signal };
  if (!stream) await guarded(() => session.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY'));
  await scanSource(scanned, scan);
  if (!stream) await guarded(() => session.query('COMMIT'));
  const run = (statement: string) => clickhouse.command(statement, { settings: CONVERSION_SETTINGS, signal });
  await run(scratch.fillTarget);
  const counted = await clickhouse.rows<{ side: number; rows: string }>(scratch.counts, { signal });
  const rowsOf = (side: number) => Number(counted.find((each) => each.side === side)?.rows ?? 0);
  const [sourceRows, targetRows] = [rowsOf(SOURCE), rowsOf(TARGET)];
  const rows = sourceRows + targetRows;
  const whole = { sourceRows, targetRows };
  if (!stream) return { ...whole, ...(await differencesAsTheyAre(comparison, scratch, rows)) };

  for (const statement of scratch.fillKeys(rows)) await run(statement);
  // A row that moved while the source was read may have been missed there; one that is deleted here only is found by this.
  await run(scratch.fillTombstones(versionOf({ lsn: parseLsn(scan.startLsn), offset: 0n })));
  await openLookups(session);
  const judged = { session, clickhouse, sql, scratch, signal, reach: comparison.reach };
  return { ...whole, ...(await judgeAll(comparison, judged)) };
}

const NOTHING_DIFFERS = { equal: true, differences: [], unsettled: 0, repaired: { keys: 0, shown: [] } };

function isSmall({ pagesPerPart, parts }: VerifyScan): boolean {
  return pagesPerPart !== null && parts === 1;
}

/** How many rows both sides have, when count and checksum are equal: for a small table that is found out at once. */
async function equalRows(on: Pick<Judged, 'session' | 'clickhouse' | 'sql' | 'signal'>): Promise<number | null> {
  const { session, clickhouse, sql, signal } = on;
  const { rows: source } = await guarded(() => session.query<Summary>(sql.postgres.summary));
  const target = await clickhouse.rows<Summary>(sql.clickhouse.summary, { settings: CONVERSION_SETTINGS, signal });
  const [left, right] = [source[0]!, target[0]!];
  return left.rows === right.rows && left.checksum === right.checksum ? Number(left.rows) : null;
}

interface Summary {
  rows: string;
  checksum: string;
}

/** The scan that an attempt before left unfinished, as far as it is certain; null when its table is gone. */
async function takeUp({ deps, shape, progress }: Comparison, sql: VerifySql) {
  const scan = progress.scan!;
  const { database, table } = shape;
  const found = await deps.clickhouse.tableNames(database);
  const scratch = scratchSql(shape, sql, scan.token);
  const name = scratchName(table.target, scan.token);
  if (![name, `${name}_keys`].every((each) => found.includes(each))) return null;
  progress.rows = await keepDoneParts(deps.clickhouse, scratch, scan);
  return scan;
}

/** Drops the scratch tables of a table, also those that died attempts left. */
export async function dropScratch({ deps, shape }: Pick<Comparison, 'deps' | 'shape'>): Promise<void> {
  const { database, table } = shape;
  for (const name of scratchTables(table.target, await deps.clickhouse.tableNames(database))) {
    await deps.clickhouse.command(`DROP TABLE IF EXISTS ${chTable({ database, name })} SYNC`, { settings: MEANT });
  }
}

async function differencesAsTheyAre(
  { deps, signal }: Comparison,
  scratch: ScratchSql,
  rows: number,
): Promise<Omit<Result, 'sourceRows' | 'targetRows'>> {
  const differences: Difference[] = [];
  for (const statement of scratch.differing(rows, MAX_SHOWN)) {
    const found = await deps.clickhouse.rows<{ key: string; source: string; target: string }>(statement, { signal });
    for (const { key, source, target } of found) {
      const more = Number(source) - Number(target);
      differences.push({ key, kind: more > 0 ? 'missing' : more < 0 ? 'extra' : 'different' });
    }
    if (differences.length >= MAX_SHOWN) break;
  }
  const shown = differences.slice(0, MAX_SHOWN);
  return { ...NOTHING_DIFFERS, equal: shown.length === 0, differences: shown };
}

/** Reads again what differs, batch by batch. When nothing is to be repaired, it ends where the report is full. */
async function judgeAll(comparison: Comparison, judged: Judged): Promise<Omit<Result, 'sourceRows' | 'targetRows'>> {
  const { progress, signal, repair } = comparison;
  const { clickhouse, scratch } = judged;
  const [measured] = await clickhouse.rows<{ keys: string; longest: string }>(scratch.measureKeys, { signal });
  progress.keys = Number(measured!.keys);
  const limit = Math.max(
    1,
    Math.min(KEYS_PER_BATCH, Math.floor(BYTES_PER_BATCH / Math.max(1, Number(measured!.longest)))),
  );
  const differences: Difference[] = [];
  const repaired: Difference[] = [];
  let repairedKeys = 0;
  let unsettled = 0;
  for (let offset = 0; offset < Number(measured!.keys); offset += limit) {
    const rows = await clickhouse.rows<{ key: string }>(scratch.readKeys(limit, offset), { signal });
    const batch = { keys: rows.map(({ key }) => key), limit, offset };
    let found = await judgeKeys(judged, batch);
    unsettled += found.unsettled;
    if (repair && found.differences.length > 0) {
      const wrong = found.differences;
      await repairKeys(
        { ...judged, shape: comparison.shape },
        wrong.map(({ key }) => key),
      );
      found = await judgeKeys(judged, { ...batch, keys: wrong.map(({ key }) => key) });
      const left = new Set(found.differences.map(({ key }) => key));
      const mended = wrong.filter(({ key }) => !left.has(key));
      repairedKeys += mended.length;
      repaired.push(...mended.slice(0, MAX_SHOWN - repaired.length));
    }
    differences.push(...found.differences.slice(0, MAX_SHOWN - differences.length));
    progress.keys -= batch.keys.length;
    if (!repair && differences.length >= MAX_SHOWN) break;
  }
  return {
    ...{ equal: differences.length === 0, differences, unsettled },
    repaired: { keys: repairedKeys, shown: repaired },
  };
}
