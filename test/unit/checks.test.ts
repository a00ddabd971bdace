import assert from 'node:assert/strict';
import { test } from 'node:test';
import { conditionsOf } from '../../core/checks.ts';

test('a CHECK is taken apart at its outermost ANDs, its column named alike whatever it is called', () => {
  const conditions = (expression: string, name = 'v') => conditionsOf({ expression, name });
  assert.deepEqual(conditions("(v < '24:00:00'::time without time zone)"), [
    "<column> < '24:00:00'::time without time zone",
  ]);
  assert.deepEqual(conditions('isfinite(v)'), ['isfinite(<column>)']);
  assert.deepEqual(conditions('((VALUE >= 1) AND (VALUE <= 9))', 'VALUE'), ['<column> >= 1', '<column> <= 9']);
  assert.deepEqual(conditions('((a > 0) AND ((b > 0) OR (a AND b)))', 'a'), [
    '<column> > 0',
    '(b > 0) OR (<column> AND b)',
  ]);
  assert.deepEqual(conditions(`(("a) AND (b" <> ') AND ('::text) AND f("a) AND (b"))`, '"a) AND (b"'), [
    `<column> <> ') AND ('::text`,
    'f(<column>)',
  ]);
  assert.deepEqual(conditions('((v > 1) OR (v < 0))'), ['(<column> > 1) OR (v < 0)']);
  assert.deepEqual(conditions('v'), ['<column>']);
});
