import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_RESYNCS, ResyncQueue, type ResyncState } from '../../core/resyncQueue.ts';

const now = '2025-01-31T00:00:00Z';
const asked = { reason: 'Asked for.', now };
const result = (table: string) => ({ table, lsn: '0/1', rows: 1, bytes: 2, seconds: 3 });

function queue(): { state: ResyncState; resyncs: ResyncQueue; shown: () => string[] } {
  const state = structuredClone(NO_RESYNCS);
  const shown = () => state.queue.map(({ table, ticket, state: at }) => `${table} ${ticket} ${at}`);
  return { state, resyncs: new ResyncQueue(state), shown };
}

test('tables are loaded one after the other, in the order in which that was asked for', () => {
  const { state, resyncs } = queue();
  assert.equal(resyncs.next, null);
  resyncs.request('a', asked);
  resyncs.request('b', asked);
  assert.equal(resyncs.next, 'a');
  resyncs.started('a', now);
  assert.deepEqual([resyncs.running, resyncs.next], ['a', null]);
  resyncs.finished(result('a'), now);
  assert.equal(resyncs.next, 'b');
  assert.deepEqual(state.done, [{ ...result('a'), ticket: 1, at: now }]);
});

test('one that waits is the one asked for; one that runs is followed by another', () => {
  const { resyncs, shown } = queue();
  assert.deepEqual([resyncs.request('a', asked), resyncs.request('a', asked)], [1, 1]);
  resyncs.started('a', now);
  assert.deepEqual([resyncs.request('a', asked), resyncs.request('a', asked)], [2, 2]);
  assert.deepEqual(shown(), ['a 1 running', 'a 2 waiting']);
  resyncs.finished(result('a'), now);
  assert.equal(resyncs.next, 'a');
});

test('what the stream needs is one with what runs', () => {
  const { resyncs, shown } = queue();
  resyncs.need([{ table: 'a', reason: 'it was rewritten' }], now);
  resyncs.started('a', now);
  resyncs.need([{ table: 'a', reason: 'its target was created again' }], now);
  assert.deepEqual(shown(), ['a 1 running']);
});

test('one that had to make way is made again, under its ticket, or by the one that waits', () => {
  const { resyncs, shown } = queue();
  resyncs.request('a', asked);
  resyncs.request('b', asked);
  resyncs.started('a', now);
  resyncs.interrupted('a', now);
  assert.deepEqual(shown(), ['a 1 waiting', 'b 2 waiting']);
  resyncs.started('a', now);
  resyncs.request('a', asked);
  resyncs.interrupted('a', now);
  assert.deepEqual(shown(), ['b 2 waiting', 'a 3 waiting']);
});

test('a failed one stays to be seen until it is asked for again, needed, or everything is retried', () => {
  const { resyncs, shown } = queue();
  resyncs.request('a', asked);
  resyncs.started('a', now);
  resyncs.failed('a', { code: 'X', message: 'no', retryable: false }, now);
  assert.deepEqual([shown(), resyncs.next], [['a 1 failed'], null]);
  resyncs.retry(now);
  assert.deepEqual(shown(), ['a 1 waiting']);
  resyncs.started('a', now);
  resyncs.failed('a', { code: 'X', message: 'no', retryable: false }, now);
  resyncs.request('a', asked);
  assert.deepEqual(shown(), ['a 2 waiting']);
});

test('tables that are gone are forgotten', () => {
  const { state, resyncs, shown } = queue();
  resyncs.request('a', asked);
  resyncs.started('a', now);
  resyncs.finished(result('a'), now);
  resyncs.request('a', asked);
  resyncs.request('b', asked);
  resyncs.keepOnly(['b']);
  assert.deepEqual([shown(), state.done], [['b 3 waiting'], []]);
});
