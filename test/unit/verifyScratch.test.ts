import assert from 'node:assert/strict';
import { test } from 'node:test';
import { verifySql } from '../../core/canonical.ts';
import { scratchName, scratchSql, scratchTables } from '../../core/verifyScratch.ts';
import { sourceTable, targetShape } from './typesSource.ts';

const token = '0123456789ab';

test('only scratch tables of the very target are taken for such', () => {
  const name = scratchName('t', token);
  const all = [name, `${name}_keys`, `${name}_repair`];
  assert.deepEqual(
    scratchTables('t', [...all, 't', 't_verify_', `${name}_x`, `u_verify_${token}`, 't_verify_log']),
    all,
  );
});

test('the pieces in which rows are compared leave no place out', () => {
  const shape = targetShape(sourceTable([]));
  const { fillKeys } = scratchSql(shape, verifySql(shape), token);
  assert.equal(fillKeys(0).length, 1);
  const ranges = fillKeys(20_000_000).map((sql) => /BETWEEN (\d+) AND (\d+)/.exec(sql)!.slice(1).map(BigInt));
  assert.equal(ranges.length, 10);
  assert.equal(ranges[0]![0], 0n);
  assert.equal(ranges.at(-1)![1], (1n << 64n) - 1n);
  for (const [index, [from]] of ranges.slice(1).entries()) assert.equal(from, ranges[index]![1]! + 1n);
});
