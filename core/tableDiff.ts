import type { TableVerification } from './activityTypes.ts';

/** A difference of one key, as a report lists it. */
export type Difference = TableVerification['differences'][number];

/** The rows of one key on one side: how many, and the sum of their hashes. */
export interface KeyedRows {
  rows: string;
  hash: string;
}

/** What ClickHouse holds for one key, superseded and deleted rows included. */
export interface StoredVersions {
  /** The highest version, that of a TRUNCATE included; null when there is no row at all. */
  version: string | null;
  /** The newest of what is stored, with the hash of each row; null for a tombstone. */
  states: readonly { version: string; hash: string | null }[];
}

/**
 * One reading of a key: its row at the source, then, after everything that was committed at the source by then had landed,
 * its row in the target, and after that what is stored for it.
 */
export interface KeyReading extends StoredVersions {
  /** Null for none. */
  source: KeyedRows | null;
  target: KeyedRows | null;
}

/**
 * Whether source and target agree on a key; `open` when it must be read again.
 *
 * The row of the target may be newer than the one of the source, which was read first. But if the highest stored version is
 * the same as in the reading before, nothing has landed for the key since before the source's row was read, while all that
 * the source's row says had landed when the target's was read: then they must be equal.
 *
 * A key that changes all the time is never at rest; it is equal if the target went through the very state that the source
 * was in, by a version that is newer than the reading before.
 */
export function judgeKey(now: KeyReading, before: KeyReading | null): 'equal' | 'open' | Difference['kind'] {
  if (now.source?.rows === now.target?.rows && now.source?.hash === now.target?.hash) return 'equal';
  if (before === null) return 'open';
  if (before.version === now.version) return kindOf(now);
  const since = BigInt(before.version ?? -1);
  const passed = now.states.some(({ version, hash }) => BigInt(version) > since && hash === (now.source?.hash ?? null));
  return passed ? 'equal' : 'open';
}

function kindOf({ source, target }: Pick<KeyReading, 'source' | 'target'>): Difference['kind'] {
  if (source === null) return 'extra';
  return target === null ? 'missing' : 'different';
}
