import type { TableVerification } from './activityTypes.ts';

/** A difference of one key, as a report lists it. */
export type Difference = TableVerification['differences'][number];

/** A key as JSON text, and the hash of its row. Lists of them are in the order of the key's bytes. */
export interface KeyedHash {
  key: string;
  hash: string;
}

/** Rows and checksum of one bucket of a table. */
export interface Bucket {
  bucket: string;
  rows: string;
  checksum: string;
}

/** Rows that a bucket should hold at most, so that a list of its keys fits in memory many times over. */
const ROWS_PER_BUCKET = 2000;
const MAX_BUCKETS = 65_536;

/** Into how many buckets a table of about this many rows is split for comparing: a power of two. */
export function bucketCount(rows: number): number {
  const wanted = Math.max(1, rows / ROWS_PER_BUCKET);
  return Math.min(MAX_BUCKETS, 2 ** Math.ceil(Math.log2(wanted)));
}

/** Numbers of the buckets that differ, ascending; one that is missing on a side is empty there. */
export function differingBuckets(source: readonly Bucket[], target: readonly Bucket[]): number[] {
  const sums = new Map(source.map(({ bucket, rows, checksum }) => [bucket, `${rows} ${checksum}`]));
  const differing = target
    .filter(({ bucket, rows, checksum }) => sums.get(bucket) !== `${rows} ${checksum}`)
    .map(({ bucket }) => bucket);
  const inTarget = new Set(target.map(({ bucket }) => bucket));
  const missing = source.filter(({ bucket }) => !inTarget.has(bucket)).map(({ bucket }) => bucket);
  return [...differing, ...missing].map(Number).sort((a, b) => a - b);
}

export function totalRows(buckets: readonly Bucket[]): number {
  return buckets.reduce((sum, { rows }) => sum + Number(rows), 0);
}

/**
 * Walks both lists side by side. A key that stands on a side more than once (a table without a key, whose whole row is
 * one) is met as often on the other.
 */
export function diffKeys(source: readonly KeyedHash[], target: readonly KeyedHash[]): Difference[] {
  const differences: Difference[] = [];
  let s = 0;
  let t = 0;
  while (s < source.length || t < target.length) {
    const left = source[s];
    const right = target[t];
    const order = compareKeys(left?.key, right?.key);
    if (order < 0) differences.push({ key: left!.key, kind: 'missing' });
    else if (order > 0) differences.push({ key: right!.key, kind: 'extra' });
    else if (left!.hash !== right!.hash) differences.push({ key: left!.key, kind: 'different' });
    if (order <= 0) s += 1;
    if (order >= 0) t += 1;
  }
  return differences;
}

/** Leaves out the differences of keys whose source row changed while the sides were being read. */
export function settledOnly(
  differences: readonly Difference[],
  { before, after }: { before: readonly KeyedHash[]; after: readonly KeyedHash[] },
): Difference[] {
  const changed = new Set(diffKeys(before, after).map(({ key }) => key));
  return differences.filter(({ key }) => !changed.has(key));
}

/** Differences that both lists have: what was seen twice, with the source having been waited for in between. */
export function seenAgain(first: readonly Difference[], second: readonly Difference[]): Difference[] {
  const known = new Set(first.map(({ key, kind }) => `${kind} ${key}`));
  return second.filter(({ key, kind }) => known.has(`${kind} ${key}`));
}

/** By the bytes of UTF-8, as both databases sort; what is behind the end of its list comes last. */
function compareKeys(left: string | undefined, right: string | undefined): number {
  if (left === right) return 0;
  if (left === undefined) return 1;
  if (right === undefined) return -1;
  return Buffer.compare(Buffer.from(left), Buffer.from(right));
}
