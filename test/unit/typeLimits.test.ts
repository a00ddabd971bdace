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
      warningOf(sourceColumn('at "noon"', 'numeric(3,1)', 'numeric')),
      `numeric(3,1): NaN is refused; declare the column numeric, which is kept as text, or keep NaN out: CHECK ("at ""noon""" <> 'NaN')`,
    );
    assert.equal(columnObject(sourceTable([], { schema: 's' }), 'v'), 'column "v" of s.t');
  });

  const lossy: [type: string, typeName: string, what: RegExp][] = [
    ['time with time zone', 'timetz', /offset/],
    ['date', 'date', /infinity/],
    ['timestamp', 'timestamp', /infinity.*9999/],
    ['timestamptz', 'timestamptz', /before Christ/],
    ['interval', 'interval', /infinity is refused/],
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

  test('of a text that stands for two values is given where the row cannot be read from the source by a key', () => {
    const time = sourceColumn('v', 'time', 'time', { notNull: true });
    assert.equal(warningOf(time), undefined);
    assert.match(warningOf(time, { primaryKey: ['v'] }) ?? '', /^time: 00:00:00 is refused.*CHECK \("v" < '24:00'\)$/);
    assert.equal(warningOf(time, { primaryKey: ['v'], load: 'reference' }), undefined);
  });

  test('is not given where a CHECK keeps the values out', () => {
    const checked = (type: string, name: string, ...checks: string[]) =>
      warningOf(sourceColumn('v', type, name, { checks }));
    assert.equal(checked('interval', 'interval', 'isfinite(<column>)'), undefined);
    assert.equal(checked('integer[]', '_int4', '<column> IS NOT NULL', 'array_ndims(<column>) = 1'), undefined);
    assert.equal(
      checked('date', 'date', "<column> >= '1900-01-01'::date", "<column> <= '2299-12-31'::date"),
      undefined,
    );
    assert.match(checked('date', 'date', "<column> >= '1900-01-01'::date") ?? '', /infinity/);
    assert.match(checked('date[]', '_date', 'array_ndims(<column>) = 1') ?? '', /as an element/);
  });

  test('of what only Debezium changes is not given for a load', () => {
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
