import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type WorkflowHandle, WorkflowNotFoundError } from '@temporalio/client';
import { executeUpdate } from '../../adapters/temporal.ts';
import type { Reconfigured, SupervisorPhase, SupervisorStatus } from '../../core/activityTypes.ts';
import { FakeActivities, type FakePipeline, typedFailure } from './fakeActivities.ts';
import { openNamespace, type TestNamespace } from './namespace.ts';
import { until } from './until.ts';

const fakes = new FakeActivities();
let namespace: TestNamespace;
before(async () => {
  namespace = await openNamespace('supervise');
  await namespace.startWorkers(fakes.activities);
});
after(() => namespace[Symbol.asyncDispose]());

async function start(pipeline: string, prepare: (fake: FakePipeline) => void = () => undefined) {
  const fake = fakes.pipeline(pipeline);
  prepare(fake);
  const handle = await namespace.client.workflow.start('superviseStream', {
    workflowId: `stream-${pipeline}`,
    taskQueue: 'stream',
    args: [pipeline],
  });
  return { fake, handle };
}

async function phase(handle: WorkflowHandle, wanted: SupervisorPhase): Promise<SupervisorStatus> {
  return await until(
    () => handle.query<SupervisorStatus>('status'),
    (status) => status.phase === wanted,
  );
}

const withSlot = (fake: FakePipeline) => {
  fake.slot = true;
};

describe('superviseStream', { concurrency: true }, () => {
  test('takes a snapshot in a child when one is needed, then streams and watches', async () => {
    const { fake, handle } = await start('fresh');
    const status = await phase(handle, 'streaming');
    await until(
      () => fake.count('watchConnector starts'),
      (n) => n === 1,
    );
    assert.deepEqual(fake.events.slice(0, 2), ['prepareStream starts', 'copySnapshot starts']);
    assert.equal(status.snapshot?.tables[0]?.rows, 3);
    const child = await namespace.client.workflow.getHandle('snapshot-fresh').describe();
    assert.equal(child.status.name, 'COMPLETED');
    const { searchAttributes } = await handle.describe();
    assert.deepEqual([searchAttributes['Pipeline'], searchAttributes['Stage']], [['fresh'], ['streaming']]);
  });

  test('does not take a snapshot when one belongs to the slot', async () => {
    const { fake, handle } = await start('known', withSlot);
    await phase(handle, 'streaming');
    assert.equal(fake.count('copySnapshot starts'), 0);
  });

  test('a pause ends the stream after its last flush and leaves the connector watched', async () => {
    const { fake, handle } = await start('paused', withSlot);
    await phase(handle, 'streaming');
    await until(
      () => fake.events.filter((event) => event.endsWith('starts')).length,
      (n) => n === 3,
    );
    await handle.signal('pause');
    const status = await phase(handle, 'paused');
    assert.match(status.reason, /Paused by an operator/);
    assert.equal(fake.count('runStream flushed'), 1);
    assert.equal(fake.count('watchConnector ended'), 0);
    await handle.signal('resume');
    await phase(handle, 'streaming');
    await until(
      () => fake.count('runStream starts'),
      (n) => n === 2,
    );
    assert.equal(fake.count('watchConnector starts'), 1);
  });

  test('backs off after a retryable failure, says why, and goes on', async () => {
    const { fake, handle } = await start('retried', (each) => {
      withSlot(each);
      // Four in a row leave eight seconds in which a busy machine can see it waiting.
      const failure = () => typedFailure('SERVICE_UNREACHABLE', 'no broker');
      each.fail('runStream', failure(), failure(), failure(), failure());
    });
    const status = await phase(handle, 'backing off');
    assert.match(status.reason, /^no broker\. Do this\. The next attempt is made in [1248] s\.$/);
    assert.equal(status.lastError?.code, 'SERVICE_UNREACHABLE');
    assert.ok(status.retryAt);
    await until(
      () => fake.count('runStream starts'),
      (starts) => starts === 5,
    );
    assert.equal(fake.count('prepareStream starts'), 5);
  });

  test('stops with the reason when no retry can help, and tries again when told to', async () => {
    const { fake, handle } = await start('refused', (each) => {
      withSlot(each);
      each.fail('prepareStream', typedFailure('SOURCE_NOT_READY', 'wal_level is replica'));
    });
    const status = await phase(handle, 'failed');
    assert.equal(status.lastError?.code, 'SOURCE_NOT_READY');
    assert.match(status.reason, /wal_level is replica/);
    assert.equal(fake.count('runStream starts'), 0);
    await handle.signal('resume');
    await phase(handle, 'streaming');
  });

  test('answers a lost slot with a new snapshot, once the connector is no longer watched', async () => {
    const { fake, handle } = await start('lost', withSlot);
    await until(
      () => fake.events.filter((event) => event.endsWith('starts')).length,
      (n) => n === 3,
    );
    fake.slot = false;
    fake.breakers.watchConnector?.(typedFailure('SLOT_LOST'));
    await until(
      () => fake.count('runStream starts'),
      (n) => n === 2,
    );
    assert.equal((await handle.query<SupervisorStatus>('status')).phase, 'streaming');
    const order = fake.events.filter((event) => /flushed|copySnapshot|prepareStream/.test(event));
    assert.deepEqual(order, [
      'prepareStream starts',
      'runStream flushed',
      'prepareStream starts',
      'copySnapshot starts',
    ]);
  });

  test('a stream that loses the slot ends the watch before the snapshot is taken', async () => {
    const { fake } = await start('lost-by-stream', withSlot);
    await until(
      () => fake.events.filter((event) => event.endsWith('starts')).length,
      (n) => n === 3,
    );
    fake.slot = false;
    fake.breakers.runStream?.(typedFailure('SLOT_LOST'));
    await until(
      () => fake.count('copySnapshot starts'),
      (n) => n === 1,
    );
    assert.ok(fake.events.indexOf('watchConnector ended') < fake.events.indexOf('copySnapshot starts'));
  });

  test('follows a changed schema before the stream goes on, whoever has seen it', async () => {
    const { fake, handle } = await start('drifted', withSlot);
    await until(
      () => fake.events.filter((event) => event.endsWith('starts')).length,
      (n) => n === 3,
    );
    const report = { table: 'things', columns: ['id', 'new'] };
    fake.breakers.runStream?.(typedFailure('SCHEMA_DRIFT', 'a new column', [report]));
    await until(
      () => fake.count('runStream starts'),
      (n) => n === 2,
    );
    assert.deepEqual(fake.events.slice(-3), ['evolveTables starts', 'prepareStream starts', 'runStream starts']);
    const status = await phase(handle, 'streaming');
    assert.equal(status.schema.changes[0]?.change, 'id,new');
    fake.breakers.watchConnector?.(typedFailure('SCHEMA_DRIFT', 'a default'));
    await until(
      () => fake.count('runStream starts'),
      (n) => n === 3,
    );
    assert.ok(fake.events.indexOf('runStream flushed') < fake.events.lastIndexOf('evolveTables starts'));
  });

  /** Stream and watch run. */
  const running = async (fake: FakePipeline, starts = 3) =>
    await until(
      () => fake.events.filter((event) => event.endsWith('starts')).length,
      (n) => n === starts,
    );
  const statusOf = (handle: WorkflowHandle) => handle.query<SupervisorStatus>('status');

  test('loads one table anew in a child, beside the stream', async () => {
    const { fake, handle } = await start('resynced', withSlot);
    await running(fake);
    const ticket = await executeUpdate<number>(handle, 'resync', 'things');
    const { resynced, phase: reached } = await until(
      () => statusOf(handle),
      ({ resyncs, resynced }) => resyncs.length === 0 && resynced.length === 1,
    );
    assert.deepEqual([resynced[0]?.ticket, resynced[0]?.rows, reached], [ticket, 3, 'streaming']);
    assert.equal(fake.count('runStream starts'), 1);
    const child = await namespace.client.workflow.getHandle('resync-resynced-things').describe();
    assert.equal(child.status.name, 'COMPLETED');
    await assert.rejects(executeUpdate<number>(handle, 'resync', 'others'), ({ cause }: Error) =>
      /streams no table 'others'. It streams: things/.test(String(cause)),
    );
  });

  test('a resync makes way for a changed schema, and is made after it', async () => {
    const held = Promise.withResolvers<void>();
    const { fake, handle } = await start('resync-drifted', (each) => {
      withSlot(each);
      each.copies = held.promise;
    });
    await running(fake);
    await executeUpdate<number>(handle, 'resync', 'things');
    await until(
      () => fake.count('resyncTable starts'),
      (n) => n === 1,
    );
    fake.breakers.runStream?.(typedFailure('SCHEMA_DRIFT', 'a new column'));
    await until(
      () => fake.count('resyncTable starts'),
      (n) => n === 2,
    );
    assert.ok(fake.events.indexOf('resyncTable cancelled') < fake.events.indexOf('evolveTables starts'));
    held.resolve();
    await until(
      () => statusOf(handle),
      ({ resynced }) => resynced.length === 1,
    );
  });

  test('a resync that cannot be made is shown as failed, and made again when the stream is resumed', async () => {
    const { fake, handle } = await start('resync-failed', (each) => {
      withSlot(each);
      each.fail('resyncTable', typedFailure('UNSUPPORTED_SOURCE', 'a strange type'));
    });
    await running(fake);
    await executeUpdate<number>(handle, 'resync', 'things');
    const { resyncs, phase: reached } = await until(
      () => statusOf(handle),
      ({ resyncs }) => resyncs[0]?.state === 'failed',
    );
    assert.match(resyncs[0]!.reason, /a strange type/);
    assert.equal(reached, 'streaming');
    await handle.signal('resume');
    await until(
      () => statusOf(handle),
      ({ resynced }) => resynced.length === 1,
    );
  });

  test('takes a changed definition over without a pause: what is new is loaded, the stream begins anew', async () => {
    const { fake, handle } = await start('reconfigured', withSlot);
    await running(fake);
    const unchanged = await executeUpdate<Reconfigured>(handle, 'reconfigure');
    assert.deepEqual(unchanged, { definitionHash: 'hash', streamed: ['things'] });
    assert.equal(fake.count('runStream starts'), 1);
    Object.assign(fake, { hash: 'other', tables: ['things', 'new'], resync: [{ table: 'new', reason: 'it is new' }] });
    const watch = Promise.withResolvers<void>();
    fake.watchEnds = watch.promise;
    const { streamed } = await executeUpdate<Reconfigured>(handle, 'addTable', 'new');
    assert.deepEqual(streamed, ['things', 'new']);
    await until(
      () => fake.count('runStream starts'),
      (starts) => starts === 2,
    );
    // The watch with the definition of before might still change what the connector captures.
    assert.equal(fake.count('resyncTable starts'), 0);
    watch.resolve();
    await until(
      () => statusOf(handle),
      ({ resynced }) => resynced[0]?.table === 'new',
    );
    await until(
      () => [fake.count('runStream starts'), fake.count('watchConnector starts')].join(),
      (starts) => starts === '2,2',
    );
    assert.equal((await statusOf(handle)).phase, 'streaming');
    for (const [update, table, reason] of [
      ['addTable', 'new', /streamed already/],
      ['addTable', 'unheard', /has no stream table 'unheard'/],
      ['removeTable', 'new', /still streams 'new'/],
      ['removeTable', 'unheard', /No table 'unheard'/],
    ] as const) {
      const asked = executeUpdate<Reconfigured>(handle, update, table);
      await assert.rejects(asked, ({ cause }: Error) => reason.test(String(cause)), `${update} ${table}`);
    }
    Object.assign(fake, { hash: 'third', tables: ['things'] });
    await executeUpdate<Reconfigured>(handle, 'removeTable', 'new');
    assert.deepEqual((await statusOf(handle)).streamed, ['things']);
  });

  test('a changed definition that cannot be taken over is refused, and the stream goes on', async () => {
    const { fake, handle } = await start('misconfigured', withSlot);
    await running(fake);
    fake.fail('prepareStream', typedFailure('SOURCE_NOT_READY', 'no such table'));
    await assert.rejects(executeUpdate<Reconfigured>(handle, 'reconfigure'), ({ cause }: Error) =>
      /no such table/.test(String(cause)),
    );
    const status = await statusOf(handle);
    assert.deepEqual([status.phase, status.lastError?.code], ['streaming', 'SOURCE_NOT_READY']);
    assert.equal(fake.count('runStream starts'), 1);
  });

  test('a failing watch is tried again beside the stream', async () => {
    const { fake, handle } = await start('watched', (each) => {
      withSlot(each);
      each.fail('watchConnector', typedFailure('CONNECTOR_FAILED', 'task 0 died'));
    });
    await until(
      () => fake.count('watchConnector starts'),
      (n) => n === 2,
    );
    const status = await handle.query<SupervisorStatus>('status');
    assert.equal(status.phase, 'streaming');
    assert.equal(status.lastError?.message, 'task 0 died. Do this.');
    assert.equal(fake.count('runStream starts'), 1);
  });

  test('fails with the snapshot’s own reason when no retry can help it', async () => {
    const { handle } = await start('no-copy', (each) => each.fail('copySnapshot', typedFailure('UNSUPPORTED_SOURCE')));
    const status = await phase(handle, 'failed');
    assert.equal(status.lastError?.code, 'UNSUPPORTED_SOURCE');
  });

  test('cancelling the workflow awaits the last flush', async () => {
    const { fake, handle } = await start('cancelled', withSlot);
    await until(
      () => fake.events.filter((event) => event.endsWith('starts')).length,
      (n) => n === 3,
    );
    await handle.cancel();
    await assert.rejects(handle.result());
    assert.equal((await handle.describe()).status.name, 'CANCELLED');
    assert.equal(fake.count('runStream flushed'), 1);
    assert.equal(fake.count('watchConnector ended'), 1);
  });

  test('continues as new after the last flush and keeps what it knows', async () => {
    const { fake, handle } = await start('renewed');
    await phase(handle, 'streaming');
    await growHistory(handle);
    await until(
      () => fake.count('runStream starts'),
      (n) => n === 2,
    );
    assert.equal(fake.events.indexOf('runStream flushed') < fake.events.lastIndexOf('runStream starts'), true);
    const renewed = namespace.client.workflow.getHandle('stream-renewed');
    assert.notEqual((await renewed.describe()).runId, handle.firstExecutionRunId);
    const status = await renewed.query<SupervisorStatus>('status');
    assert.equal(status.phase, 'streaming');
    assert.equal(status.snapshot?.lsn, '0/1');
    assert.equal(fake.count('prepareStream starts'), 1);
  });

  test('continues as new with its pause', async () => {
    const { fake, handle } = await start('renewed-paused', withSlot);
    await phase(handle, 'streaming');
    await handle.signal('pause');
    await phase(handle, 'paused');
    await growHistory(handle);
    const renewed = namespace.client.workflow.getHandle('stream-renewed-paused');
    await until(
      () => renewed.describe(),
      ({ runId }) => runId !== handle.firstExecutionRunId,
    );
    assert.equal((await renewed.query<SupervisorStatus>('status')).phase, 'paused');
    await until(
      () => fake.count('watchConnector starts'),
      (n) => n === 2,
    );
    assert.equal(fake.count('runStream starts'), 1);
    await renewed.signal('resume');
    await phase(renewed, 'streaming');
  });
});

/**
 * The server suggests a new run beyond 4 MB of history; signals that change nothing fill it. They are sent to the first
 * run and end well before it is asked about: a run cannot continue as new while further signals reach it.
 */
async function growHistory({ workflowId, firstExecutionRunId }: { workflowId: string; firstExecutionRunId: string }) {
  const first = namespace.client.workflow.getHandle(workflowId, firstExecutionRunId);
  try {
    for (let sent = 0; sent < 60; sent++) await first.signal('fill', 'x'.repeat(100_000));
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
  await until(
    async () => (await first.describe()).status.name,
    (status) => status === 'CONTINUED_AS_NEW',
  );
}

test('a worker that stops hands the stream over after its last flush, and nothing counts as an error', async () => {
  await using own = await openNamespace('handover');
  const stop = await own.startWorkers(fakes.activities);
  const fake = fakes.pipeline('handed-over');
  withSlot(fake);
  const handle = await own.client.workflow.start('superviseStream', {
    ...{ workflowId: 'stream-handed-over', taskQueue: 'stream', args: ['handed-over'] },
  });
  await until(
    () => fake.events.filter((event) => event.endsWith('starts')).length,
    (n) => n === 3,
  );
  await stop();
  assert.equal(fake.count('runStream flushed'), 1);
  await own.startWorkers(fakes.activities);
  await until(
    () => fake.count('runStream starts'),
    (n) => n === 2,
  );
  const status = await handle.query<SupervisorStatus>('status');
  assert.deepEqual([status.phase, status.attempts, status.lastError], ['streaming', 0, null]);
});
