/** When a table's pending messages are inserted: whichever limit is met first. */
export interface FlushLimits {
  rows: number;
  bytes: number;
  /** At least this long after the flush before; so at once when the stream was idle. */
  intervalMs: number;
}

export const FLUSH_LIMITS: FlushLimits = { rows: 50_000, bytes: 12 * 1024 * 1024, intervalMs: 100 };
/** In a backlog nobody sees a row sooner for small inserts, which cost ClickHouse more. */
const BACKLOG_LIMITS: FlushLimits = { ...FLUSH_LIMITS, intervalMs: 500 };

/** @param lag messages of the partition that have not been read yet; from as many as one insert takes on it is a backlog. */
export function limitsAt(lag: number): FlushLimits {
  return lag < FLUSH_LIMITS.rows ? FLUSH_LIMITS : BACKLOG_LIMITS;
}

/**
 * How many bytes all tables of a pipeline may hold together, pending and being inserted; reading waits while there are
 * more. It may be exceeded by what one answer of the broker holds for a few partitions.
 */
export const HELD_BYTES_LIMIT = 24 * 1024 * 1024;

/** Milliseconds until pending messages are due, 0 when they are, null when there are none. */
export function msUntilFlush(
  pending: { rows: number; bytes: number; sinceLastFlushMs: number },
  limits: FlushLimits,
): number | null {
  if (pending.rows === 0) return null;
  if (pending.rows >= limits.rows || pending.bytes >= limits.bytes) return 0;
  return Math.max(0, limits.intervalMs - pending.sinceLastFlushMs);
}

const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 10_000;

/** How long to wait before an insert is tried again, after `failures` in a row: 100 ms, doubling up to 10 s. */
export function insertRetryMs(failures: number): number {
  return Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(failures - 1, 10));
}
