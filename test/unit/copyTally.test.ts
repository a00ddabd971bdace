import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CopyTally } from '../../core/copyTally.ts';

test('a table is done when its last part is, and rows of its parts add up', () => {
  const tally = new CopyTally('2026-01-01T00:00:00Z');
  tally.expect('a', { parts: 2, estimatedRows: 9.6 });
  tally.expect('b', { parts: 1, estimatedRows: -1 });
  tally.add('a', { rows: 3, bytes: 30 });
  tally.partDone('a');
  tally.add('a', { rows: 4, bytes: 41 });
  assert.deepEqual(tally.progress(), {
    tables: [
      { table: 'a', phase: 'copying', rows: 7, bytes: 71, estimatedRows: 10 },
      { table: 'b', phase: 'waiting', rows: 0, bytes: 0, estimatedRows: 0 },
    ],
    startedAt: '2026-01-01T00:00:00Z',
  });
  tally.partDone('a');
  tally.partDone('b');
  assert.deepEqual(
    tally.progress().tables.map(({ phase }) => phase),
    ['done', 'done'],
  );
  assert.deepEqual(tally.of('a'), { rows: 7, bytes: 71 });
});
