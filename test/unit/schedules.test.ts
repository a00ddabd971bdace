import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePipeline } from '../../core/definition.ts';
import {
  diffSchedules,
  type ExistingSchedule,
  fingerprint,
  SCHEDULE_POLICY,
  type WantedSchedule,
  wantedSchedules,
} from '../../core/schedules.ts';

const pipeline = parsePipeline(
  {
    name: 'shop',
    source: 'SHOP_DATABASE_URL',
    tables: {
      orders: { load: 'stream' },
      products: { load: 'reference', schedule: '15 2 * * *' },
      'sales.sellers': { load: 'reference' },
    },
  },
  'test',
);
const wanted = wantedSchedules([pipeline]);
const products = wanted[0]!;

function existing(schedule: WantedSchedule, changed: Partial<ExistingSchedule> = {}): ExistingSchedule {
  const same = fingerprint({ ...schedule, policy: SCHEDULE_POLICY });
  return {
    id: schedule.id,
    ours: true,
    pipeline: schedule.work.pipeline,
    fingerprint: same,
    paused: false,
    ...changed,
  };
}

test('one schedule a reference table and one a pipeline that verifies it are wanted', () => {
  assert.deepEqual(
    wanted.map(({ id, cron }) => [id, cron]),
    [
      ['reference-shop-products', '15 2 * * *'],
      ['reference-shop-sales.sellers', '0 3 * * *'],
      ['verify-shop', '30 4 * * *'],
    ],
  );
  assert.deepEqual(products.work, { kind: 'reference', pipeline: 'shop', table: 'products' });
});

test('schedules that are missing are created', () => {
  assert.deepEqual(diffSchedules(wanted, []).create, wanted);
});

test('schedules that are as wanted are left alone, also when an operator has paused them', () => {
  const changes = diffSchedules(
    wanted,
    wanted.map((each) => existing(each, { paused: true })),
  );
  assert.deepEqual(changes.unchanged, wanted);
  assert.deepEqual([...changes.create, ...changes.update, ...changes.orphans], []);
});

test('a schedule that differs in time, work or policy is updated', () => {
  const policy = SCHEDULE_POLICY;
  const different = [
    fingerprint({ ...products, cron: '0 1 * * *', policy }),
    fingerprint({ ...products, work: { ...products.work, table: 'other' }, policy }),
    fingerprint({ ...products, policy: { ...policy, overlap: 'ALLOW_ALL' } }),
    fingerprint({ ...products, policy: { ...policy, catchupMs: 1 } }),
  ];
  for (const each of different) {
    assert.deepEqual(diffSchedules([products], [existing(products, { fingerprint: each })]).update, [products]);
  }
});

test('the order in which the server gives an argument’s fields makes no difference', () => {
  const work = { table: 'products', pipeline: 'shop', kind: 'reference' };
  assert.equal(
    fingerprint({ ...products, work, policy: SCHEDULE_POLICY }),
    fingerprint({ ...products, policy: SCHEDULE_POLICY }),
  );
});

test('our schedules that nobody wants are orphans; somebody else’s are no business of ours', () => {
  const gone = existing({ ...products, id: 'reference-shop-gone' });
  const foreign = existing({ ...products, id: 'nightly-report' }, { ours: false });
  const changes = diffSchedules([], [gone, foreign]);
  assert.deepEqual(changes.orphans, [gone]);
});

test('somebody else’s schedule under a wanted id is neither updated nor replaced', () => {
  const changes = diffSchedules([products], [existing(products, { ours: false, fingerprint: '' })]);
  assert.deepEqual(changes.taken, [products]);
  assert.deepEqual([...changes.create, ...changes.update], []);
});
