import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { alterTarget, columnComment, type TargetColumn, type WantedColumn } from '../../core/targetDiff.ts';

const is = (attnum: number, name: string, type = 'Nullable(String)'): TargetColumn => {
  return { name, type, comment: columnComment(attnum) };
};
const wants = (attnum: number, name: string, type = 'Nullable(String)', value: string | null = null): WantedColumn => {
  return { attnum, name, type, default: value };
};
const version = { name: '_version', type: 'UInt128', comment: '' };

describe('altering a target', () => {
  test('drops, renames, modifies and adds, in that order, and leaves its own columns alone', () => {
    const actual = [is(1, 'id', 'Int32'), is(2, 'a'), is(3, 'b'), is(4, 'n', 'Nullable(Decimal(10, 2))'), version];
    const wanted = [
      ...[wants(1, 'id', 'Int32'), wants(3, 'a'), wants(4, 'n', 'Nullable(Decimal(12, 2))')],
      wants(5, "it's", 'Nullable(Int32)', '7'),
    ];
    assert.deepEqual(alterTarget(actual, wanted), [
      'DROP COLUMN `a`',
      'RENAME COLUMN `b` TO `a`',
      'MODIFY COLUMN `n` Nullable(Decimal(12, 2))',
      "ADD COLUMN `it's` Nullable(Int32) DEFAULT 7 COMMENT 'source column 5'",
    ]);
  });

  test('goes on where it broke off', () => {
    const actual = [is(1, 'id', 'Int32'), is(3, 'a'), version];
    assert.deepEqual(alterTarget(actual, [wants(1, 'id', 'Int32'), wants(3, 'a')]), []);
  });

  test('renames in the order in which names become free', () => {
    const actual = [is(1, 'a'), is(2, 'b')];
    assert.deepEqual(alterTarget(actual, [wants(1, 'b'), wants(2, 'c')]), [
      'RENAME COLUMN `b` TO `c`',
      'RENAME COLUMN `a` TO `b`',
    ]);
    assert.equal(alterTarget(actual, [wants(1, 'b'), wants(2, 'a')]), null);
  });

  test('allows NULL, and more digits before the point, and nothing that would change a value', () => {
    const altered = (from: string, to: string) => alterTarget([is(1, 'a', from)], [wants(1, 'a', to)])?.length ?? null;
    assert.equal(altered('Int32', 'Nullable(Int32)'), 1);
    assert.equal(altered('LowCardinality(String)', 'LowCardinality(Nullable(String))'), 1);
    assert.equal(altered('Decimal(10, 2)', 'Nullable(Decimal(12, 2))'), 1);
    assert.equal(altered('Decimal(12, 2)', 'Decimal(10, 2)'), null);
    assert.equal(altered('Decimal(10, 2)', 'Decimal(12, 3)'), null);
    assert.equal(altered('Int32', 'String'), null);
  });
});
