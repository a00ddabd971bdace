import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  bucketCount,
  differingBuckets,
  diffKeys,
  type KeyedHash,
  seenAgain,
  settledOnly,
} from '../../core/tableDiff.ts';

const list = (...keys: string[]): KeyedHash[] =>
  keys.map((each) => ({ key: each.split('=')[0] as string, hash: each.split('=')[1] ?? '0' }));

test('missing, extra and different keys are told apart', () => {
  assert.deepEqual(diffKeys(list('a', 'b=1', 'd'), list('b=2', 'c', 'd', 'e')), [
    { key: 'a', kind: 'missing' },
    { key: 'b', kind: 'different' },
    { key: 'c', kind: 'extra' },
    { key: 'e', kind: 'extra' },
  ]);
  assert.deepEqual(diffKeys([], []), []);
});

test('keys are compared in the order of their bytes, not of UTF-16', () => {
  const keys = ['["\u{e000}"]', '["\u{1f600}"]'];
  assert.deepEqual(diffKeys(list(...keys), list(...keys.slice(1))), [{ key: keys[0], kind: 'missing' }]);
});

test('repeated rows of a table without a key are counted', () => {
  assert.deepEqual(diffKeys(list('a', 'a', 'a'), list('a', 'a')), [{ key: 'a', kind: 'missing' }]);
  assert.deepEqual(diffKeys(list('a'), list('a', 'a')), [{ key: 'a', kind: 'extra' }]);
});

test('a bucket that is empty on one side differs', () => {
  const of = (bucket: string, checksum: string) => ({ bucket, rows: '1', checksum });
  const source = [of('0', '5'), of('2', '6'), of('10', '7')];
  const target = [of('0', '5'), of('10', '8'), of('3', '9')];
  assert.deepEqual(differingBuckets(source, target), [2, 3, 10]);
});

test('buckets hold a few thousand rows, whatever the table', () => {
  assert.equal(bucketCount(-1), 1);
  assert.equal(bucketCount(2000), 1);
  assert.equal(bucketCount(2001), 2);
  assert.equal(bucketCount(1_000_000), 512);
  assert.equal(bucketCount(1e12), 65_536);
});

test('a key whose source row changed meanwhile is not reported, nor what was seen only once', () => {
  const differences = diffKeys(list('a', 'b', 'c'), list('a=9', 'b=9'));
  const settled = settledOnly(differences, { before: list('a', 'b', 'c'), after: list('a', 'b=7', 'c') });
  assert.deepEqual(settled, [
    { key: 'a', kind: 'different' },
    { key: 'c', kind: 'missing' },
  ]);
  assert.deepEqual(seenAgain(settled, [{ key: 'c', kind: 'missing' }]), [{ key: 'c', kind: 'missing' }]);
});
