import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { nextRuns } from '../../adapters/temporalSchedules.ts';
import { SCHEDULE_POLICY, type WantedSchedule } from '../../core/schedules.ts';
import { reconcileSchedules } from '../../scripts/commands/schedule.ts';
import { openNamespace, type TestNamespace } from './namespace.ts';
import { until } from './until.ts';

let namespace: TestNamespace;
before(async () => {
  namespace = await openNamespace('schedules');
});
after(() => namespace[Symbol.asyncDispose]());

const products: WantedSchedule = {
  id: 'reference-shop-products',
  cron: '0 3 * * *',
  work: { kind: 'reference', pipeline: 'shop', table: 'products' },
  note: 'Loads shop.products whole',
};
const verify: WantedSchedule = {
  id: 'verify-shop',
  cron: '30 4 * * *',
  work: { kind: 'verify', pipeline: 'shop' },
  note: 'Compares shop with its source',
};

async function reconcile(wanted: WantedSchedule[], flags: { dryRun?: boolean; deleteOrphans?: boolean } = {}) {
  const lines: string[] = [];
  const options = { dryRun: false, deleteOrphans: false, ...flags, wanted, say: (line: string) => lines.push(line) };
  await reconcileSchedules(namespace.client, options);
  return lines;
}

test('a dry run says what it would create and creates nothing', async () => {
  const lines = await reconcile([products, verify], { dryRun: true });
  assert.match(lines.at(-1)!, /^dry run: 2 created, /);
  await assert.rejects(namespace.client.schedule.getHandle(products.id).describe());
});

test('schedules are created with explicit policies, and a second run changes nothing', async () => {
  assert.equal((await reconcile([products, verify])).at(-1), '2 created, 0 updated, 0 unchanged, 0 orphaned');
  const { policies, action, info } = await namespace.client.schedule.getHandle(products.id).describe();
  assert.equal(policies.overlap, SCHEDULE_POLICY.overlap);
  assert.equal(policies.catchupWindow, SCHEDULE_POLICY.catchupMs);
  assert.deepEqual([action.workflowType, action.args], ['startScheduled', [products.work]]);
  assert.equal(info.nextActionTimes[0]?.toISOString().slice(11, 16), '03:00');
  assert.equal((await reconcile([products, verify])).at(-1), '0 created, 0 updated, 2 unchanged, 0 orphaned');
});

test('an update changes what differs and keeps an operator’s pause and note', async () => {
  const handle = namespace.client.schedule.getHandle(products.id);
  await handle.pause('the source is being moved');
  const later = { ...products, cron: '45 5 * * *' };
  const lines = await reconcile([later, verify]);
  assert.equal(lines.at(-1), '0 created, 1 updated, 1 unchanged, 0 orphaned');
  const { state, info } = await handle.describe();
  assert.deepEqual([state.paused, state.note], [true, 'the source is being moved']);
  assert.equal(info.nextActionTimes[0]?.toISOString().slice(11, 16), '05:45');
  assert.equal((await reconcile([later, verify])).at(-1), '0 created, 0 updated, 2 unchanged, 0 orphaned');
});

test('a time that somebody changed on the server is put right', async () => {
  const handle = namespace.client.schedule.getHandle(verify.id);
  await handle.update((previous) => ({ ...previous, spec: { cronExpressions: ['0 0 1 1 *'] } }));
  assert.match((await reconcile([verify])).at(-1)!, /^0 created, 1 updated, 0 unchanged/);
});

test('a schedule that no definition wants is reported, and deleted only when told to', async () => {
  await until(
    () => nextRuns(namespace.client),
    (runs) => runs.has(products.id),
  );
  assert.equal(
    (await reconcile([verify])).at(-1),
    '0 created, 0 updated, 1 unchanged, 1 orphaned (--delete-orphans deletes them)',
  );
  assert.equal((await reconcile([verify], { deleteOrphans: true })).at(-1)!.endsWith('1 deleted'), true);
  await assert.rejects(namespace.client.schedule.getHandle(products.id).describe());
});

test('somebody else’s schedule is left alone, also under a wanted id', async () => {
  await namespace.client.schedule.create({
    scheduleId: products.id,
    spec: { intervals: [{ every: '1 day' }] },
    action: { type: 'startWorkflow', workflowType: 'theirs', taskQueue: 'theirs' },
  });
  await assert.rejects(reconcile([products, verify]), /somebody else's schedules have the ids reference-shop-products/);
  const { action } = await namespace.client.schedule.getHandle(products.id).describe();
  assert.equal(action.workflowType, 'theirs');
});
