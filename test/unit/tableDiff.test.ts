import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judgeKey, type KeyReading } from '../../core/tableDiff.ts';

const row = (hash: string) => ({ rows: '1', hash });
const reading = (changes: Partial<KeyReading>): KeyReading => ({
  ...{ source: row('a'), target: row('b'), version: '10', states: [{ version: '10', hash: 'b' }] },
  ...changes,
});

test('a key whose rows are equal, or are on neither side, is equal at once', () => {
  assert.equal(judgeKey(reading({ target: row('a') }), null), 'equal');
  assert.equal(judgeKey(reading({ source: null, target: null }), null), 'equal');
});

test('a difference seen once is not judged, for the target may be newer', () => {
  assert.equal(judgeKey(reading({}), null), 'open');
  assert.equal(judgeKey(reading({ version: '11' }), reading({})), 'open');
});

test('a difference under an unchanged version is one', () => {
  assert.equal(judgeKey(reading({}), reading({})), 'different');
  assert.equal(judgeKey(reading({ target: null }), reading({})), 'missing');
  assert.equal(judgeKey(reading({ source: null }), reading({})), 'extra');
  const nothing = reading({ target: null, version: null, states: [] });
  assert.equal(judgeKey(nothing, nothing), 'missing');
  assert.equal(judgeKey(reading({ target: { rows: '2', hash: 'a' } }), reading({})), 'different');
});

test('a key that never rests is equal when the target has passed through the state of the source since', () => {
  const states = (...all: [string, string | null][]) => all.map(([version, hash]) => ({ version, hash }));
  const passed = reading({ version: '12', states: states(['12', 'c'], ['11', 'a'], ['10', 'b']) });
  assert.equal(judgeKey(passed, reading({})), 'equal');
  const long = reading({ version: '12', states: states(['12', 'c'], ['9', 'a']) });
  assert.equal(judgeKey(long, reading({})), 'open');
  const deleted = reading({ source: null, version: '12', states: states(['12', 'c'], ['11', null]) });
  assert.equal(judgeKey(deleted, reading({})), 'equal');
  const first = reading({ version: '0', states: states(['0', 'a']) });
  assert.equal(judgeKey(first, reading({ version: null, states: [] })), 'equal');
});
