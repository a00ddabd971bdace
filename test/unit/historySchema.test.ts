import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { SourceColumn } from '../../core/catalog.ts';
import { alterHistory, eraByName, withDropped } from '../../core/historySchema.ts';
import type { Catalog, SchemaVersion } from '../../core/schemaVersion.ts';
import { columnComment, type TargetColumn, type WantedColumn } from '../../core/targetDiff.ts';
import { sourceColumn, sourceTable } from './typesSource.ts';

const is = (attnum: number, name: string, type: string): TargetColumn[] => [
  { name, type, comment: columnComment(attnum) },
  {
    name: `before_${name}`,
    type: type.replace(/^(?!Nullable)(.+)$/, 'Nullable($1)'),
    comment: columnComment(attnum, true),
  },
];
const wants = (attnum: number, name: string, type: string): WantedColumn[] => [
  { attnum, name, type, default: null },
  ...is(attnum, name, type)
    .slice(1)
    .map(({ name, type }) => ({ attnum, name, type, default: null, before: true as const })),
];
const OWN: TargetColumn[] = [{ name: 'ts', type: "DateTime64(6, 'UTC')", comment: '' }];

suite('the target of a history', () => {
  test('keeps what a table has had, as columns that may be NULL, under names that no other column has now', () => {
    const column = (attnum: number, name: string) => sourceColumn(name, 'text', 'text', { attnum, notNull: true });
    const version = (...columns: SourceColumn[]) => ({ source: sourceTable(columns) }) as SchemaVersion;
    const now = sourceTable([column(2, 'a'), column(5, 'b')]);
    const recorded = [version(column(2, 'a'), column(3, 'b'), column(4, 'c'))];
    const { columns } = withDropped(now, recorded);
    assert.deepEqual(
      columns.slice(-2).map(({ attnum, name, notNull }) => [attnum, name, notNull]),
      [
        [3, 'b_dropped_3', false],
        [4, 'c', false],
      ],
    );
    assert.deepEqual(withDropped({ ...now, oid: now.oid + 1 }, recorded).columns, now.columns);
  });

  test('renames both columns of one, and widens them', () => {
    const actual = [...is(1, 'a', 'Nullable(Int16)'), ...OWN];
    assert.deepEqual(alterHistory(actual, wants(1, 'b', 'Nullable(Int64)')), [
      'RENAME COLUMN `a` TO `b`',
      'RENAME COLUMN `before_a` TO `before_b`',
      'MODIFY COLUMN `b` Nullable(Int64)',
      'MODIFY COLUMN `before_b` Nullable(Int64)',
    ]);
  });

  test('is given columns whose names alone are certain by what they meant before', () => {
    const columns = [
      sourceColumn('x', 'text', 'text', { attnum: 5 }),
      sourceColumn('y', 'text', 'text', { attnum: 6 }),
    ];
    const now = { source: sourceTable(columns) } as Catalog;
    assert.deepEqual(eraByName(['x', 'y', 'z'], now, [{ name: 'x', attnum: 2 }]), [
      { name: 'x', attnum: 2 },
      { name: 'y', attnum: 6 },
      { name: 'z', attnum: null },
    ]);
  });

  test('cannot be altered to a type that does not hold what there is', () => {
    for (const [from, to] of [
      ['Nullable(Int64)', 'Nullable(Int32)'],
      ['Nullable(String)', 'Nullable(Int32)'],
      ['Nullable(Int32)', 'Int64'],
    ] as const) {
      assert.equal(alterHistory([...is(1, 'a', from), ...OWN], wants(1, 'a', to)), null, `${from} to ${to}`);
    }
  });
});
