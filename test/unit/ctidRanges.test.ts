import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ctidRanges } from '../../core/ctidRanges.ts';

const options = { connections: 4, serverVersion: 180_004 };

test('ranges follow one another without gap or overlap, and the last one is open', () => {
  for (const pages of [4096, 4097, 16_383, 100_000, 123_456_789]) {
    const ranges = ctidRanges({ kind: 'r', pages }, options);
    assert.equal(ranges[0]?.fromPage, 0);
    assert.equal(ranges.at(-1)?.toPage, null);
    for (const [index, range] of ranges.slice(1).entries()) assert.equal(range.fromPage, ranges[index]?.toPage);
    assert.ok(ranges.every(({ fromPage, toPage }) => fromPage < (toPage ?? pages)));
  }
});

test('a large table is split into more ranges than there are connections, but not without end', () => {
  assert.equal(ctidRanges({ kind: 'r', pages: 10_000_000 }, options).length, 16);
  assert.equal(ctidRanges({ kind: 'r', pages: 4096 }, options).length, 2);
});

test('what would not gain by it is read as one', () => {
  assert.deepEqual(ctidRanges({ kind: 'r', pages: 0 }, options), []);
  assert.deepEqual(ctidRanges({ kind: 'r', pages: 4095 }, options), []);
  assert.deepEqual(ctidRanges({ kind: 'p', pages: 100_000 }, options), []);
  assert.deepEqual(ctidRanges({ kind: 'r', pages: 100_000 }, { ...options, connections: 1 }), []);
  assert.deepEqual(ctidRanges({ kind: 'r', pages: 100_000 }, { ...options, serverVersion: 130_014 }), []);
});
