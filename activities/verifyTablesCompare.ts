import type pg from 'pg';
import type { ClickHouse } from '../adapters/clickhouse.ts';
import { guarded } from '../adapters/postgresCopyErrors.ts';
import type { TableVerification } from '../core/activityTypes.ts';
import type { VerifySide } from '../core/canonical.ts';
import {
  type Bucket,
  bucketCount,
  type Difference,
  differingBuckets,
  diffKeys,
  type KeyedHash,
  seenAgain,
  settledOnly,
  totalRows,
} from '../core/tableDiff.ts';

/** How many keys a report lists. */
const MAX_DIFFERENCES = 20;
/** How often buckets are read again while rows of the source change. */
const MAX_ROUNDS = 4;

export interface Comparison {
  sql: { postgres: VerifySide; clickhouse: VerifySide };
  /** The planner's estimate; below 0 when it has none. */
  estimatedRows: number;
  session: pg.Client;
  clickhouse: ClickHouse;
  signal: AbortSignal;
  /** Waits until the target has all that is at the source now; null when the target does not follow by itself. */
  reach: (() => Promise<unknown>) | null;
}

/**
 * Compares one table bucket by bucket. While the source is being written, a bucket counts as equal as soon as it was
 * equal once, and a key as different only if its source row stood still around two readings that both differed. So what
 * is reported is a difference; a row that never stands still is not judged.
 */
export async function compareTable(
  comparison: Comparison,
): Promise<Pick<TableVerification, 'sourceRows' | 'targetRows' | 'equal' | 'differences'>> {
  let state = await compareBuckets(comparison, bucketCount(comparison.estimatedRows));
  const count = bucketCount(Math.max(state.sourceRows, state.targetRows));
  // The planner may know nothing yet of a table that was just filled.
  if (state.suspects.length > 0 && count > state.count) state = await compareBuckets(comparison, count);
  const differences: Difference[] = [];
  for (const bucket of state.suspects) {
    differences.push(...(await searchBucket(comparison, { bucket, count: state.count })));
    if (differences.length >= MAX_DIFFERENCES) break;
  }
  const { sourceRows, targetRows } = state;
  return {
    sourceRows,
    targetRows,
    equal: differences.length === 0,
    differences: differences.slice(0, MAX_DIFFERENCES),
  };
}

/** Buckets that differed each time they were read, and the rows of the last reading. */
interface BucketState {
  count: number;
  suspects: number[];
  sourceRows: number;
  targetRows: number;
}

async function compareBuckets(comparison: Comparison, count: number): Promise<BucketState> {
  const { sql, reach } = comparison;
  let state: BucketState | null = null;
  let before: Bucket[] = [];
  for (let round = 1; ; round++) {
    const source = await fromSource<Bucket>(comparison, sql.postgres.buckets(count));
    // A source that stands still was reached before; only one that does not is waited for.
    if (round > 1) await reach?.();
    const target = await fromTarget<Bucket>(comparison, sql.clickhouse.buckets(count));
    const differing = differingBuckets(source, target);
    const suspects: number[] = state ? state.suspects.filter((bucket) => differing.includes(bucket)) : differing;
    state = { count, suspects, sourceRows: totalRows(source), targetRows: totalRows(target) };
    const stoodStill = differingBuckets(before, source).length === 0;
    if (suspects.length === 0 || reach === null || stoodStill || round === MAX_ROUNDS) return state;
    before = source;
  }
}

async function searchBucket(
  comparison: Comparison,
  { bucket, count }: { bucket: number; count: number },
): Promise<Difference[]> {
  const { sql, reach } = comparison;
  const look = async () => {
    const before = await fromSource<KeyedHash>(comparison, sql.postgres.keys(bucket, count));
    await reach?.();
    const target = await fromTarget<KeyedHash>(comparison, sql.clickhouse.keys(bucket, count));
    if (reach === null) return diffKeys(before, target);
    const after = await fromSource<KeyedHash>(comparison, sql.postgres.keys(bucket, count));
    return settledOnly(diffKeys(before, target), { before, after });
  };
  const first = await look();
  if (first.length === 0 || reach === null) return first;
  return seenAgain(first, await look());
}

async function fromSource<T extends pg.QueryResultRow>({ session }: Comparison, sql: string): Promise<T[]> {
  return (await guarded(() => session.query<T>(sql))).rows;
}

async function fromTarget<T>({ clickhouse, signal }: Comparison, sql: string): Promise<T[]> {
  return clickhouse.rows<T>(sql, { signal });
}
