import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { SourceColumn, SourceTable } from '../../core/catalog.ts';
import { columnObject, columnWarnings } from '../../core/typeLimits.ts';
import { sourceColumn, sourceTable, targetShape } from './typesSource.ts';

function warningOf(
  column: SourceColumn,
  { load = 'stream', ...table }: Partial<SourceTable> & { load?: 'stream' | 'reference' } = {},
): string | undefined {
  const source = sourceTable([column], { replicaIdentity: 'f', ...table });
  const warnings = columnWarnings(targetShape(source, load).table, source);
  assert.ok(warnings.length <= 1);
  return warnings[0]?.detail;
}

suite('a warning', () => {
  test('names what is lost and the remedy with the column’s name quoted', () => {
    assert.equal(
      warningOf(sourceColumn('at "noon"', 'time', 'time')),
      `time: Debezium turns 24:00:00 into 00:00:00; keep it out: CHECK ("at ""noon""" < '24:00')`,
    );
    assert.equal(columnObject(sourceTable([], { schema: 's' }), 'v'), 'column "v" of s.t');
  });

  const lossy: [type: string, typeName: string, what: RegExp][] = [
    ['time with time zone', 'timetz', /offset.*24:00:00\+00/],
    ['date', 'date', /infinity/],
    ['timestamp', 'timestamp', /infinity.*9999/],
    ['timestamptz', 'timestamptz', /before Christ/],
    ['interval', 'interval', /infinity into zero/],
    ['numeric(10,2)', 'numeric', /NaN/],
    ['money', 'money', /lc_monetary/],
    ['integer[]', '_int4', /more than one dimension/],
    ['date[]', '_date', /more than one dimension.*as an element, dates outside/],
  ];
  for (const [type, typeName, what] of lossy) {
    test(`is given for ${type}`, () => assert.match(warningOf(sourceColumn('v', type, typeName)) ?? '', what));
  }

  for (const [type, typeName] of [
    ['integer', 'int4'],
    ['numeric', 'numeric'],
    ['numeric(100,5)', 'numeric'],
    ['double precision', 'float8'],
    ['jsonb', 'jsonb'],
    ['uuid', 'uuid'],
  ] as const) {
    test(`is not given for ${type}, which arrives as it is`, () =>
      assert.equal(warningOf(sourceColumn('v', type, typeName)), undefined));
  }

  test('of what only Debezium changes is not given for a load', () => {
    assert.equal(warningOf(sourceColumn('v', 'time', 'time'), { load: 'reference' }), undefined);
    assert.match(warningOf(sourceColumn('v', 'date', 'date'), { load: 'reference' }) ?? '', /infinity/);
  });

  test('is given for a generated column of a stream', () => {
    const generated = sourceColumn('v', 'integer', 'int4', { generated: true });
    assert.match(warningOf(generated) ?? '', /lacks it; .* DROP EXPRESSION$/);
    assert.equal(warningOf(generated, { load: 'reference' }), undefined);
  });

  test('is given for an array whose large value Debezium would send as NULL under the default identity', () => {
    const days = sourceColumn('v', 'date[]', '_date', { notNull: true });
    assert.match(warningOf(days, { replicaIdentity: 'd' }) ?? '', /REPLICA IDENTITY FULL/);
    assert.doesNotMatch(warningOf(days) ?? '', /REPLICA IDENTITY FULL/);
  });
});
