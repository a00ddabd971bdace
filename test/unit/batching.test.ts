import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FLUSH_LIMITS, insertRetryMs, limitsAt, msUntilFlush } from '../../core/batching.ts';

const limits = { rows: 100, bytes: 1000, intervalMs: 50 };

test('nothing pending is never due', () => {
  assert.equal(msUntilFlush({ rows: 0, bytes: 0, sinceLastFlushMs: 9999 }, limits), null);
});

test('a stream that was idle flushes at once', () => {
  assert.equal(msUntilFlush({ rows: 1, bytes: 10, sinceLastFlushMs: 50 }, limits), 0);
  assert.equal(msUntilFlush({ rows: 1, bytes: 10, sinceLastFlushMs: 5000 }, limits), 0);
});

test('a busy stream waits out the interval since its last flush', () => {
  assert.equal(msUntilFlush({ rows: 1, bytes: 10, sinceLastFlushMs: 20 }, limits), 30);
});

test('the limits of rows and bytes come before the interval', () => {
  assert.equal(msUntilFlush({ rows: 100, bytes: 10, sinceLastFlushMs: 0 }, limits), 0);
  assert.equal(msUntilFlush({ rows: 2, bytes: 1000, sinceLastFlushMs: 0 }, limits), 0);
});

test('in a backlog inserts are larger, and no larger than else allowed', () => {
  assert.equal(limitsAt(FLUSH_LIMITS.rows - 1), FLUSH_LIMITS);
  const { intervalMs, ...others } = limitsAt(FLUSH_LIMITS.rows);
  assert.ok(intervalMs > FLUSH_LIMITS.intervalMs);
  assert.deepEqual({ ...others, intervalMs: FLUSH_LIMITS.intervalMs }, FLUSH_LIMITS);
});

test('a refused insert is tried again after 100 ms, doubling up to ten seconds', () => {
  assert.deepEqual([1, 2, 3, 7, 8, 500].map(insertRetryMs), [100, 200, 400, 6400, 10_000, 10_000]);
});
