import assert from 'node:assert/strict';
import { test } from 'node:test';
import { indexLookup, parseKey } from '../../core/keyText.ts';
import type { MappedColumn } from '../../core/typeMapping.ts';
import { sourceColumn } from './typesSource.ts';

const mapped = (...args: Parameters<typeof sourceColumn>) => ({ column: sourceColumn(...args) }) as MappedColumn;
const notNull = { notNull: true };

test('a key is taken apart, whatever its texts hold', () => {
  assert.deepEqual(parseKey('["7"]'), ['7']);
  assert.deepEqual(parseKey('["a \\"b\\" \\\\","null",null,"","x,y\n"]'), ['a "b" \\', 'null', null, '', 'x,y\n']);
});

test('rows are found by the index of their key', () => {
  const lookup = indexLookup([mapped('a b', 'bigint', 'int8', notNull), mapped('t', 'text', 'text', notNull)])!;
  assert.equal(
    lookup.join(['X', 'Y']),
    'JOIN (SELECT _tidegate_k1::bigint AS _tidegate_k1, _tidegate_k2::text AS _tidegate_k2 ' +
      'FROM unnest(X, Y) AS keys(_tidegate_k1, _tidegate_k2)) AS wanted ON "a b" = _tidegate_k1 AND "t" = _tidegate_k2',
  );
  assert.deepEqual(lookup.values(['["1","x"]', '["2","y"]']), [
    ['1', '2'],
    ['x', 'y'],
  ]);
});

test('a key whose text is not its value, or that may be NULL, is looked for by reading the table', () => {
  assert.equal(indexLookup([mapped('f', 'double precision', 'float8', notNull)]), null);
  assert.equal(indexLookup([mapped('t', 'text', 'text')]), null);
});
