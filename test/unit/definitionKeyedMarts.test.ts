import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { parsePipeline } from '../../core/definition.ts';
import { followersOf, keyedInputs } from '../../core/martInputs.ts';
import { fingerprint, policyOf, wantedSchedules } from '../../core/schedules.ts';

const sales = {
  ...{ file: 'sales.sql', key: ['item_id'], refreshEvery: '1m' },
  inputs: { items: { item_id: 'item_id' }, orders: { order_id: 'order_id' } },
};
const byDay = { file: 'by_day.sql', key: ['day'], inputs: { sales: { day: 'toDate(at)' } } };
const parse = (marts: object) =>
  parsePipeline(
    {
      ...{ name: 'lab', source: 'LAB_URL' },
      tables: { items: {}, orders: {}, users: { load: 'reference' }, log: { history: { operations: ['u'] } } },
      marts,
    },
    'lab/pipeline.ts',
  );

suite('a mart by keys', () => {
  test('is ordered by its key and merges a quarter of a million keys at once, unless it says otherwise', () => {
    const [mart] = parse({ sales }).keyedMarts;
    assert.deepEqual([mart!.orderBy, mart!.keysAtOnce, mart!.refreshSeconds], [['item_id'], 250_000, 60]);
    assert.deepEqual(
      mart!.inputs.map(({ target, wholeKey }) => [target, wholeKey]),
      [
        ['items', true],
        ['orders', false],
      ],
    );
  });

  test('follows the marts that it reads, and waits for what they read', () => {
    const pipeline = parse({ sales, byDay, total: { ...byDay, inputs: { byDay: { day: 'day' } } } });
    assert.deepEqual(
      followersOf(pipeline, 'sales').map(({ name }) => name),
      ['byDay', 'total'],
    );
    assert.deepEqual(
      keyedInputs(pipeline, pipeline.keyedMarts[2]!).map(({ label }) => label),
      ['items', 'orders'],
    );
  });

  test('has a schedule with its interval, which starts nothing while a merge runs; a follower has none', () => {
    const [wanted, ...others] = wantedSchedules([parse({ sales, byDay })]).filter(
      ({ work }) => work.kind === 'refresh',
    );
    assert.deepEqual([wanted!.id, wanted!.cron, others], ['merge-lab-sales', '@every 60s', []]);
    assert.equal(policyOf(wanted!.work).overlap, 'SKIP');
    const other = { ...wanted!, cron: '@every 30s', policy: policyOf(wanted!.work) };
    assert.notEqual(fingerprint(other), fingerprint({ ...wanted!, policy: policyOf(wanted!.work) }));
  });

  const wrong: [why: string, marts: object, words: RegExp][] = [
    [
      'an input that is not streamed',
      { sales: { ...sales, inputs: { users: { item_id: 'id' } } } },
      /'users' is no target/,
    ],
    ['a history as its input', { sales: { ...sales, inputs: { log: { item_id: 'id' } } } }, /'log' is no target/],
    ['a mart that is declared later', { byDay, sales }, /'sales' is no target/],
    [
      'no input with the whole key',
      { sales: { ...sales, inputs: { orders: { order_id: 'id' } } } },
      /the whole key item_id/,
    ],
    ['an order without the key', { sales: { ...sales, orderBy: ['at'] } }, /orderBy: lacks the key's column 'item_id'/],
    ['no interval', { sales: { ...sales, refreshEvery: undefined } }, /refreshEvery: is needed/],
    ['an interval that is too short', { sales: { ...sales, refreshEvery: '5s' } }, /between 10s and 1d/],
    ['a field that it does not have', { sales: { ...sales, lateness: '2h' } }, /marts\.sales.*lateness/],
    ['a name that its rows take', { sales, sales_versions: { ...sales } }, /created as 'sales_versions'/],
  ];
  for (const [why, marts, words] of wrong) {
    test(`is refused for ${why}`, () => assert.throws(() => parse(marts), words));
  }
});
