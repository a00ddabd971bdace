import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { SourceColumn, SourceTable } from '../../core/catalog.ts';
import { diffSchema } from '../../core/schemaDiff.ts';
import {
  type Catalog,
  couldHold,
  type EraVersion,
  eraOf,
  firstVersion,
  isSameSchema,
  resolveEra,
} from '../../core/schemaVersion.ts';
import { sourceColumn, sourceTable } from './typesSource.ts';

const a = sourceColumn('a', 'text', 'text', { attnum: 2 });
const b = sourceColumn('b', 'numeric(10,2)', 'numeric', { attnum: 3 });

function catalog(
  columns: readonly SourceColumn[],
  more: Partial<Catalog> & { table?: Partial<SourceTable> } = {},
): Catalog {
  const { table, ...rest } = more;
  const touched = Object.fromEntries([1, ...columns.map(({ attnum }) => attnum)].map((attnum) => [attnum, '100']));
  const lastAttnum = Math.max(1, ...columns.map(({ attnum }) => attnum));
  return { source: sourceTable(columns, table), files: 'f1', lastAttnum, touched, missing: {}, ...rest };
}

const before = catalog([a, b]);
const follow = (now: Catalog) => diffSchema(before, now, { era: eraOf(before.source) });

describe('what has changed in a schema', () => {
  test('is nothing when only the files of the rows are others', () => {
    assert.equal(isSameSchema(before, catalog([a, b], { files: 'f2' })), true);
  });

  test('is said in words, column by column, however it is called', () => {
    const c = sourceColumn('c', 'integer', 'int4', { attnum: 4, notNull: true, default: '7' });
    const wider = { ...b, name: 'amount', type: 'numeric(12,2)', notNull: true };
    assert.deepEqual(follow(catalog([wider, c])), {
      changes: [
        'column a was dropped',
        'column b was renamed to amount',
        'column amount was numeric(10,2) and is numeric(12,2)',
        'column amount is NOT NULL',
        'column c integer NOT NULL was added with the default 7',
      ],
      reload: null,
      alterable: true,
    });
  });

  test('loads the table anew when rows may have new values without an event', () => {
    const c = sourceColumn('c', 'uuid', 'uuid', { attnum: 4, default: 'gen_random_uuid()' });
    assert.match(follow(catalog([a, b, c], { files: 'f2' })).reload!, /was rewritten/);
    const touched = { 1: '100', 2: '100', 3: '101' };
    const used = catalog([a, b], { files: 'f2', touched });
    assert.equal(isSameSchema(before, used), false);
    assert.match(follow(used).reload!, /was rewritten/);
  });

  test('loads the table anew when a column is sent that older rows were loaded without', () => {
    const without = { ...catalog([a]), lastAttnum: 3 };
    const { reload } = diffSchema(without, before, { era: eraOf(without.source) });
    assert.match(reload!, /column b .* older rows lack it/);
    assert.equal(diffSchema({ ...without, lastAttnum: 2 }, before, { era: eraOf(without.source) }).reload, null);
  });

  test('breaks a history where its columns have other meanings, and not where rows have new values', () => {
    const kept = (now: Catalog) => diffSchema(before, now, { era: eraOf(before.source), history: true }).reload;
    const touched = { 1: '100', 2: '100', 3: '101' };
    assert.equal(kept(catalog([a, b], { files: 'f2', touched })), null);
    assert.match(kept(catalog([a, b], { table: { primaryKey: ['id', 'a'] } }))!, /the key of t was altered/);
    assert.match(
      kept(
        catalog([
          { ...a, name: 'b' },
          { ...b, name: 'a' },
        ]),
      )!,
      /exchanged their names/,
    );
  });

  test('loads the table anew when its key is altered, or when it is another table', () => {
    assert.match(follow(catalog([a, b], { table: { primaryKey: ['id', 'a'] } })).reload!, /the key of t was altered/);
    assert.match(follow(catalog([a, b], { table: { oid: 2 } })).reload!, /dropped and created again/);
  });

  test('loads the table anew when messages of before and after look alike', () => {
    const swapped = catalog([
      { ...a, name: 'b' },
      { ...b, name: 'a' },
    ]);
    assert.match(follow(swapped).reload!, /exchanged their names/);
    const again = catalog([{ ...a, attnum: 4 }, b]);
    assert.match(follow(again).reload!, /exchanged their names/);
  });

  test('of a partitioned table with a default cannot be told from the catalog', () => {
    const c = sourceColumn('c', 'integer', 'int4', { attnum: 4, default: '7' });
    assert.match(follow(catalog([a, b, c], { table: { kind: 'p' } })).reload!, /partitions/);
  });
});

const version = (columns: Record<string, number>, lastAttnum: number, touched: string[] = []): EraVersion => ({
  era: Object.entries(columns).map(([name, attnum]) => ({ name, attnum })),
  ...{ lastAttnum, touched: { 1: '100', 2: '100', ...Object.fromEntries(touched.map((xmin, at) => [at + 1, xmin])) } },
});

describe('what a message holds', () => {
  const first = version({ id: 1, a: 2 }, 2);

  test('is what a version of exactly these names says', () => {
    const renamed = version({ id: 1, b: 2, a: 3 }, 3);
    assert.deepEqual(resolveEra(['id', 'a'], [first, renamed]), first.era);
    assert.deepEqual(resolveEra(['a', 'id', 'b'], [first, renamed]), renamed.era);
  });

  test('is made out name by name when no version has them all', () => {
    const last = version({ id: 1, b: 2, c: 3 }, 3);
    assert.deepEqual(resolveEra(['id', 'b'], [first, last]), version({ id: 1, b: 2 }, 2).era);
  });

  test('may be a column that came and went unseen, of which nothing is kept', () => {
    const era = resolveEra(['id', 'a', 'gone'], [first, version({ id: 1, a: 2 }, 3)]);
    assert.deepEqual(era?.at(-1), { name: 'gone', attnum: null });
  });

  test('may be an earlier name of a column, when no other can be meant', () => {
    const last = version({ id: 1, a: 2, c: 3 }, 3);
    assert.deepEqual(resolveEra(['id', 'a', 'b'], [first, last])?.at(-1), { name: 'b', attnum: 3 });
    assert.equal(resolveEra(['id', 'a', 'b'], [first, version({ id: 1, a: 2, c: 4 }, 4)]), null);
  });

  test('is in doubt when a name stood for several columns', () => {
    const last = version({ id: 1, a: 3 }, 3);
    assert.equal(resolveEra(['id', 'a'], [first, last]), null);
  });
});

describe('a message of columns that the table', () => {
  const first = version({ id: 1, a: 2 }, 2);

  test('never had is not its own', () => {
    for (const keys of [['unknown'], [], ['id'], ['id', 'unknown'], ['id', 'a', 'unknown'], ['b', 'c']]) {
      assert.equal(couldHold(keys, [first, first]), false, keys.join());
    }
  });

  test('has, had, or had together only for a while may be its own', () => {
    const last = version({ id: 1, b: 2, c: 3 }, 3, ['100', '101', '101']);
    for (const keys of [
      ['a', 'id'],
      ['id', 'b', 'c'],
      ['id', 'b'],
      ['id', 'a', 'c'],
    ]) {
      assert.equal(couldHold(keys, [first, last]), true, keys.join());
    }
    assert.equal(couldHold(['id'], [first, last]), false);
    assert.equal(couldHold(['a', 'c'], [first, last]), false);
  });

  test('may have had unseen may be its own, when the catalog has the mark of it', () => {
    assert.equal(couldHold(['id', 'a', 'gone'], [first, version({ id: 1, a: 2 }, 3)]), true);
    assert.equal(couldHold(['id', 'a', 'gone', 'too'], [first, version({ id: 1, a: 2 }, 3)]), false);
    const altered = version({ id: 1, a: 2 }, 2, ['100', '101']);
    assert.equal(couldHold(['id', 'between'], [first, altered]), true);
    assert.equal(couldHold(['between', 'a'], [first, altered]), false);
  });
});

test('the first version expects what the catalog says', () => {
  assert.deepEqual(firstVersion(before).era, [
    { name: 'id', attnum: 1 },
    { name: 'a', attnum: 2 },
    { name: 'b', attnum: 3 },
  ]);
});
