import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MergeQueue } from '../../core/mergeQueue.ts';

const asked = (runId: string, days: string[], at: string) => ({
  ...{ workflowId: `merge-${runId}`, runId, days, watermark: { at, lsn: null } },
});

test('what waits is merged at once, in the order of days, each with the latest watermark it was asked with', () => {
  const queue = new MergeQueue();
  queue.add(asked('a', ['2026-01-02', '2026-01-01'], '2026-02-01T00:00:00Z'));
  queue.add(asked('b', ['2026-01-02'], '2026-02-02T00:00:00Z'));
  const work = queue.next()!;
  assert.deepEqual(
    work.days.map(({ day, watermark }) => [day, watermark.at]),
    [
      ['2026-01-01', '2026-02-01T00:00:00Z'],
      ['2026-01-02', '2026-02-02T00:00:00Z'],
    ],
  );
  assert.equal(work.requests.length, 2);
  assert.equal(queue.next(), null);
});

test('what is asked for during a merge is merged after it; a repeated request counts once', () => {
  const queue = new MergeQueue();
  const first = asked('a', ['2026-01-01'], '2026-02-01T00:00:00Z');
  queue.add(first);
  queue.add(first);
  assert.equal(queue.next()!.requests.length, 1);
  queue.add(first);
  assert.equal(queue.waiting, 0);
  queue.add(asked('b', ['2026-01-01'], '2026-02-01T00:00:00Z'));
  queue.done();
  assert.deepEqual(
    queue.next()!.requests.map(({ runId }) => runId),
    ['b'],
  );
  queue.add(first);
  assert.equal(queue.waiting, 1);
});
