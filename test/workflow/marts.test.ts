import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { WorkflowNotFoundError } from '@temporalio/client';
import { createSchedule } from '../../adapters/temporalSchedules.ts';
import { describeWork } from '../../adapters/temporalWork.ts';
import { dayOf } from '../../core/days.ts';
import { failureOf } from '../../core/failures.ts';
import type { MartProgress, MergeRequest, MergeResult } from '../../core/mergeTypes.ts';
import { FakeActivities, typedFailure } from './fakeActivities.ts';
import { openNamespace, type TestNamespace } from './namespace.ts';
import { until } from './until.ts';

const fakes = new FakeActivities();
let namespace: TestNamespace;
before(async () => {
  namespace = await openNamespace('marts');
  await namespace.startWorkers(fakes.activities);
});
after(() => namespace[Symbol.asyncDispose]());

async function startMerge(pipeline: string, request?: MergeRequest, name = 'asked') {
  return await namespace.client.workflow.start<
    (pipeline: string, mart: string, request?: MergeRequest) => Promise<MergeResult>
  >('mergeMart', {
    ...{ workflowId: `merge-${pipeline}-daily-${name}`, taskQueue: 'batch' },
    args: request ? [pipeline, 'daily', request] : [pipeline, 'daily'],
  });
}

const days = (from: string, to = from): MergeRequest => ({ days: { from, to } });

/** Merges of the pipeline wait until the returned function is called. */
function holdMerges(pipeline: string): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  fakes.pipeline(pipeline).copies = promise;
  return resolve;
}

async function merging(pipeline: string, count = 1): Promise<void> {
  await until(
    () => fakes.pipeline(pipeline).count('mergeDays starts'),
    (starts) => starts === count,
  );
}

describe('mergeMart', { concurrency: true }, () => {
  test('merges a range partition by partition once its input has landed, and says how far it is', async () => {
    const letGo = holdMerges('range');
    const handle = await startMerge('range', days('2026-01-30', '2026-02-02'));
    await merging('range');
    assert.deepEqual(await handle.query<MartProgress>('progress'), { parts: 2, merged: [], merging: '202601' });
    letGo();
    const result = await handle.result();
    assert.deepEqual(
      result.parts.map(({ partition, days: merged }) => [partition, merged]),
      [
        ['202601', ['2026-01-30', '2026-01-31']],
        ['202602', ['2026-02-01', '2026-02-02']],
      ],
    );
    assert.deepEqual([result.days, result.rows], [4, 4]);
    assert.deepEqual(fakes.pipeline('range').events.slice(0, 2), ['awaitInputs starts', 'planMerge starts']);
    const { Pipeline, TableName, Stage } = (await handle.describe()).searchAttributes;
    assert.deepEqual([Pipeline, TableName, Stage], [['range'], ['daily'], ['merged']]);
    const partition = await describeWork(namespace.client, 'merge-range-daily-202602');
    assert.equal(partition?.status, 'COMPLETED');
  });

  test('takes the list of its arguments as one value, which is all that the form of the Web UI can send', async () => {
    const handle = await namespace.client.workflow.start('mergeMart', {
      ...{ workflowId: 'merge-typed-daily-january', taskQueue: 'batch' },
      args: [['typed', 'daily', days('2026-01-30', '2026-02-02')]],
    });
    const result: MergeResult = await handle.result();
    assert.deepEqual([result.parts.length, result.days], [2, 4]);
  });

  test('merges of one partition run one after another, and what waits is merged at once', async () => {
    const letGo = holdMerges('queue');
    const first = await startMerge('queue', days('2026-01-01'), 'first');
    await merging('queue');
    const others = await Promise.all([
      startMerge('queue', days('2026-01-02', '2026-01-03'), 'second'),
      startMerge('queue', days('2026-01-03', '2026-01-04'), 'third'),
      startMerge('queue', days('2026-02-01'), 'elsewhere'),
    ]);
    // The other partition does not wait; the same one does.
    await merging('queue', 2);
    const isAsked = async (name: string) => {
      const { events } = await namespace.client.workflow.getHandle(`merge-queue-daily-${name}`).fetchHistory();
      return events?.some(({ externalWorkflowExecutionSignaledEventAttributes: sent }) => sent != null) ?? false;
    };
    await until(
      async () => (await isAsked('second')) && (await isAsked('third')),
      (asked) => asked,
    );
    letGo();
    await Promise.all([first, ...others].map((handle) => handle.result()));
    const merged = fakes.pipeline('queue').events.filter((event) => event.startsWith('merged'));
    assert.deepEqual(merged.sort(), [
      'merged 2026-01-01',
      'merged 2026-01-02 2026-01-03 2026-01-04',
      'merged 2026-02-01',
    ]);
  });

  test('without days it merges all that need it', async () => {
    fakes.pipeline('dirty').outstanding = ['2026-01-05', '2026-03-01'];
    const result = await (await startMerge('dirty')).result();
    assert.deepEqual(
      result.parts.flatMap((part) => part.days),
      ['2026-01-05', '2026-03-01'],
    );
    assert.equal((await (await startMerge('nothing')).result()).days, 0);
  });

  test('a day whose late input may still come is waited for, and its input looked at again', async () => {
    fakes.pipeline('early').readyInMs = 2000;
    await (await startMerge('early', days('2026-01-01'))).result();
    assert.deepEqual(
      fakes.pipeline('early').events.map((event) => event.split(' ')[0]),
      ['awaitInputs', 'planMerge', 'awaitInputs', 'mergeDays', 'merged'],
    );
  });

  test('a failure that passes is tried again, one that does not fails the merge with its reason', async () => {
    const fake = fakes.pipeline('refused');
    fake.fail('mergeDays', typedFailure('SERVICE_UNREACHABLE'), typedFailure('MART_REFUSED', 'no such column'));
    const handle = await startMerge('refused', days('2026-01-01'));
    const failure = await handle.result().then(() => assert.fail('it succeeded'), failureOf);
    assert.deepEqual([failure.code, failure.message], ['MART_REFUSED', 'no such column. Do this.']);
    assert.equal(fake.count('mergeDays starts'), 2);
    await until(
      () => describeWork(namespace.client, 'merge-refused-daily-202601'),
      (work) => work?.status === 'FAILED',
    );
    assert.equal((await (await startMerge('refused', days('2026-01-01'))).result()).days, 1);
  });

  test('days that are none, or have not begun, are refused before anything is waited for', async () => {
    const tomorrow = dayOf(Date.now() + 86_400_000);
    for (const [index, wrong] of [days('2026-02-30'), days('2026-02-02', '2026-02-01'), days(tomorrow)].entries()) {
      const handle = await startMerge('wrong', wrong, `wrong-${index}`);
      const failure = await handle.result().then(() => assert.fail('it succeeded'), failureOf);
      assert.equal(failure.code, 'INVALID_SETTING');
    }
    assert.deepEqual(fakes.pipeline('wrong').events, []);
  });

  test('a range of many partitions goes on in a new run when its history grows long', async () => {
    const letGo = holdMerges('long');
    const handle = await startMerge('long', days('2026-01-31', '2026-03-01'));
    await merging('long');
    for (let ended = false; !ended; ) {
      const { historyLength } = await handle.describe();
      ended = historyLength > 4200;
      if (!ended) await Promise.all(Array.from({ length: 100 }, () => handle.signal('fill')));
    }
    letGo();
    const result = await handle.result();
    assert.deepEqual(
      result.parts.map(({ partition }) => partition),
      ['202601', '202602', '202603'],
    );
    assert.equal(result.days, 30);
    const first = namespace.client.workflow.getHandle(handle.workflowId, handle.firstExecutionRunId);
    assert.equal((await first.describe()).status.name, 'CONTINUED_AS_NEW');
    assert.equal(fakes.pipeline('long').count('planMerge starts'), 1);
  });
});

describe('mergeMart, by keys', { concurrency: true }, () => {
  const start = (pipeline: string, request?: MergeRequest) =>
    namespace.client.workflow.start<(pipeline: string, mart: string, request?: MergeRequest) => Promise<MergeResult>>(
      'mergeMart',
      {
        ...{ workflowId: `merge-${pipeline}-keyed-keys`, taskQueue: 'batch' },
        args: request ? [pipeline, 'keyed', request] : [pipeline, 'keyed'],
      },
    );
  const eventsOf = (pipeline: string) =>
    fakes.pipeline(pipeline).events.filter((event) => !event.startsWith('mergeKeys'));

  test('merges at once what has landed, then the marts that follow', async () => {
    const result = await (await start('keys-now', { keys: true })).result();
    assert.deepEqual(eventsOf('keys-now'), ['merged keys of keyed', 'merged keys of following']);
    assert.deepEqual([result.byKeys?.map(({ mart }) => mart), result.rows], [['keyed', 'following'], 3]);
  });

  test('started by a person in the Web UI, it waits for its inputs first', async () => {
    fakes.pipeline('keys-person').byKeys = true;
    await (await start('keys-person')).result();
    assert.deepEqual(eventsOf('keys-person').slice(0, 3), [
      'awaitInputs starts',
      'planMerge starts',
      'merged keys of keyed',
    ]);
  });

  test('asked while it runs, it merges once more for all who ask, with what they have committed', async () => {
    const letGo = holdMerges('keys-asked');
    const handle = await start('keys-asked', { keys: true });
    await until(
      () => fakes.pipeline('keys-asked').count('mergeKeys starts'),
      (starts) => starts === 1,
    );
    await handle.signal('mergeKeys', { rebuild: false });
    await handle.signal('mergeKeys', { rebuild: true });
    letGo();
    await handle.result();
    assert.deepEqual(eventsOf('keys-asked'), [
      ...['merged keys of keyed', 'merged keys of following', 'awaitInputs starts'],
      ...['merged keys of keyed, all', 'merged keys of following, all'],
    ]);
  });

  test('an interval of a schedule starts it under its one id, and leaves the one that runs alone', async () => {
    const { client } = namespace;
    const letGo = holdMerges('keys-sched');
    const work = { kind: 'refresh', pipeline: 'keys-sched', mart: 'keyed' } as const;
    await createSchedule(client, { id: 'merge-keys-sched-keyed', cron: '@every 3600s', note: 'Merges', work });
    const handle = client.schedule.getHandle('merge-keys-sched-keyed');
    assert.deepEqual(
      (await handle.describe()).spec.intervals?.map(({ every }) => every),
      [3_600_000],
    );
    await handle.trigger();
    const running = async () => (await describeWork(client, 'merge-keys-sched-keyed-keys'))?.status;
    await until(running, (status) => status === 'RUNNING');
    await handle.trigger('ALLOW_ALL');
    letGo();
    await until(running, (status) => status === 'COMPLETED');
    assert.equal(fakes.pipeline('keys-sched').count('merged keys of keyed'), 1);
  });
});

test('a schedule merges the day before the time it means, and a backfill every day of the past, though it fires meanwhile', async () => {
  const { client } = namespace;
  await createSchedule(client, {
    ...{ id: 'merge-sched-daily', cron: '0 5 * * *', note: 'Merges sched.daily' },
    work: { kind: 'merge', pipeline: 'sched', mart: 'daily' },
  });
  const letGo = holdMerges('sched');
  const handle = client.schedule.getHandle('merge-sched-daily');
  const backfill = { start: new Date('2026-01-01T00:00:00Z'), end: new Date('2026-01-03T23:00:00Z') };
  await handle.backfill({ ...backfill, overlap: 'ALLOW_ALL' });
  const yesterday = dayOf(Date.now() - 86_400_000);
  const expected = ['2025-12-31', '2026-01-01', '2026-01-02'];
  const statuses = async () =>
    await Promise.all(expected.map(async (day) => (await describeWork(client, `merge-sched-daily-${day}`))?.status));
  await until(statuses, (found) => found.every((status) => status === 'RUNNING'));
  await handle.trigger();
  expected.push(yesterday);
  await until(statuses, (found) => found.every((status) => status === 'RUNNING'));
  letGo();
  await until(statuses, (found) => found.every((status) => status === 'COMPLETED'));
  const merged = fakes
    .pipeline('sched')
    .events.flatMap((event) => (event.startsWith('merged') ? event.split(' ').slice(1) : []));
  assert.deepEqual([...new Set(merged)].sort(), expected);
  await assert.rejects(client.workflow.getHandle('merge-sched-daily-2026-01-03').describe(), WorkflowNotFoundError);
});
