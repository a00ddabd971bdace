import { WorkflowNotFoundError } from '@temporalio/client';
import type { RelayStatus, SupervisorPhase, SupervisorStatus } from '../../core/activityTypes.ts';
import { FakeActivities, typedFailure } from '../workflow/fakeActivities.ts';
import { openNamespace, type TestNamespace } from '../workflow/namespace.ts';
import { until } from '../workflow/until.ts';
import { writeHistory } from './historyFile.ts';

/**
 * Records histories for replay.test.ts on the running local stack: `node test/replay/record.ts`. Recorded histories stay
 * as they are when workflows change: they stand for what runs at users' sites. New ones are added under new names.
 */
async function save(
  namespace: TestNamespace,
  { workflowId, runId, file }: Record<'workflowId' | 'runId' | 'file', string>,
) {
  const history = await namespace.client.workflow.getHandle(workflowId, runId).fetchHistory();
  writeHistory(file, history);
  console.log(`${file}: ${history.events?.length} events`);
}

await using namespace = await openNamespace('record');
const fakes = new FakeActivities();
let stopWorkers = await namespace.startWorkers(fakes.activities);
const { client } = namespace;

async function recordSupervisor(): Promise<void> {
  const fake = fakes.pipeline('wms');
  fake.fail('prepareStream', typedFailure('SERVICE_UNREACHABLE'));
  fake.fail('watchConnector', typedFailure('CONNECTOR_FAILED'));
  const started = await client.workflow.start('superviseStream', {
    ...{ workflowId: 'stream-wms', taskQueue: 'stream', args: ['wms'] },
  });
  const handle = client.workflow.getHandle('stream-wms');
  const reach = (phase: SupervisorPhase) =>
    until(
      () => handle.query<SupervisorStatus>('status'),
      (status) => status.phase === phase,
    );
  await reach('streaming');
  await until(
    () => fake.count('watchConnector starts'),
    (starts) => starts === 2,
  );
  await handle.signal('pause');
  await reach('paused');
  await handle.signal('resume');
  await reach('streaming');
  await until(
    () => fake.count('runStream starts'),
    (starts) => starts === 2,
  );
  await stopWorkers();
  stopWorkers = await namespace.startWorkers(fakes.activities);
  await until(
    () => fake.count('runStream starts'),
    (starts) => starts === 3,
  );
  fake.slot = false;
  fake.breakers.runStream?.(typedFailure('SLOT_LOST'));
  await until(
    () => fake.count('runStream starts'),
    (starts) => starts === 4,
  );
  const report = { table: 'things', columns: ['id', 'new'] };
  fake.breakers.runStream?.(typedFailure('SCHEMA_DRIFT', 'a new column', [report]));
  await until(
    () => fake.count('runStream starts'),
    (starts) => starts === 5,
  );
  await handle.executeUpdate<number, [string]>('resync', { args: ['things'] });
  await until(
    () => handle.query<SupervisorStatus>('status'),
    ({ resynced }) => resynced.length === 1,
  );
  Object.assign(fake, { hash: 'other', tables: ['things', 'new'], resync: [{ table: 'new', reason: 'it is new' }] });
  await handle.executeUpdate<unknown, [string]>('addTable', { args: ['new'] });
  await until(
    () => fake.count('runStream starts'),
    (starts) => starts === 6,
  );
  await until(
    () => handle.query<SupervisorStatus>('status'),
    ({ resynced }) => resynced.length === 2,
  );
  fake.breakers.runStream?.(typedFailure('ACCESS_DENIED'));
  await reach('failed');
  await handle.signal('resume');
  await reach('streaming');
  // Saved before it is filled with signals: what follows would only make the file long.
  await save(namespace, { workflowId: 'stream-wms', runId: started.firstExecutionRunId, file: 'superviseStream-3' });
  await fillHistory('stream-wms', started.firstExecutionRunId);

  await until(
    () => fake.count('runStream starts'),
    (starts) => starts === 8,
  );
  await handle.cancel();
  const { runId } = await until(
    () => handle.describe(),
    ({ status }) => status.name === 'CANCELLED',
  );
  await save(namespace, { workflowId: 'stream-wms', runId, file: 'superviseStream-4' });
}

/** Many small signals make a history long enough for the server to suggest a new run. */
async function fillHistory(workflowId: string, runId: string): Promise<void> {
  const first = client.workflow.getHandle(workflowId, runId);
  for (;;) {
    try {
      await Promise.all(Array.from({ length: 50 }, () => first.signal('fill')));
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return;
      throw error;
    }
  }
}

async function recordRelay(): Promise<void> {
  const fake = fakes.pipeline('wms');
  fake.fail('runRelay', typedFailure('SERVICE_UNREACHABLE'));
  const workflowId = 'outbox-wms';
  const handle = await client.workflow.start('relayOutbox', { workflowId, taskQueue: 'stream', args: ['wms'] });
  const started = (count: number) =>
    until(
      () => fake.count('runRelay starts'),
      (starts) => starts === count,
    );
  await started(2);
  await handle.signal('pause');
  await until(
    () => fake.count('runRelay ended'),
    (ended) => ended === 1,
  );
  await handle.signal('resume');
  await started(3);
  fake.breakers.runRelay?.(typedFailure('ACCESS_DENIED'));
  await until(
    () => handle.query<RelayStatus>('status'),
    (status) => status.phase === 'failed',
  );
  await handle.signal('resume');
  await started(4);
  await handle.cancel();
  await handle.result().catch(() => undefined);
  await save(namespace, { workflowId, runId: handle.firstExecutionRunId, file: 'relayOutbox-1' });
}

async function recordBatch(): Promise<void> {
  const runs: [type: string, args: unknown[]][] = [
    ['loadReference', ['wms', 'products']],
    ['verifyPipeline', ['wms']],
    ['snapshotTables', ['wms']],
    ['startScheduled', [{ kind: 'reference', pipeline: 'wms', table: 'regions' }]],
  ];
  for (const [type, args] of runs) {
    fakes.pipeline('wms').fail('copyReference', typedFailure('SHORT_LOAD'));
    const workflowId = `record-${type}`;
    const handle = await client.workflow.start(type, { workflowId, taskQueue: 'batch', args });
    await handle.result();
    await save(namespace, { workflowId, runId: handle.firstExecutionRunId, file: `${type}-1` });
  }
}

/** A merge of two partitions, of which one is tried again, as a schedule starts it. */
async function recordMerges(): Promise<void> {
  const fake = fakes.pipeline('crm');
  fake.outstanding = ['2025-11-30'];
  fake.readyInMs = 1000;
  fake.fail('mergeDays', typedFailure('SERVICE_UNREACHABLE'));
  const work = { kind: 'merge', pipeline: 'crm', mart: 'daily' };
  const started = await client.workflow.start('startScheduled', {
    ...{ workflowId: 'scheduled-merge', taskQueue: 'batch', args: [work] },
  });
  const { workflowId }: { workflowId: string } = await started.result();
  await save(namespace, {
    workflowId: 'scheduled-merge',
    runId: started.firstExecutionRunId,
    file: 'startScheduled-2',
  });
  const files = [
    [workflowId, 'mergeMart-1'],
    ['merge-crm-daily-202511', 'mergePartition-1'],
  ] as const;
  for (const [id, file] of files) {
    const { runId } = await client.workflow.getHandle(id).describe();
    await save(namespace, { workflowId: id, runId, file });
  }
}

/** A merge by keys as a schedule starts it, of which another is asked for while it is tried again. */
async function recordKeys(): Promise<void> {
  const fake = fakes.pipeline('keys');
  const { promise, resolve } = Promise.withResolvers<void>();
  fake.copies = promise;
  fake.fail('mergeKeys', typedFailure('SERVICE_UNREACHABLE'));
  const work = { kind: 'refresh', pipeline: 'keys', mart: 'keyed' };
  const started = await client.workflow.start('startScheduled', {
    ...{ workflowId: 'scheduled-keys', taskQueue: 'batch', args: [work] },
  });
  await until(
    () => fake.count('mergeKeys starts'),
    (starts) => starts === 2,
  );
  const merge = client.workflow.getHandle('merge-keys-keyed-keys');
  await merge.signal('mergeKeys', { rebuild: true });
  resolve();
  await started.result();
  const { runId } = await merge.describe();
  await save(namespace, { workflowId: 'merge-keys-keyed-keys', runId, file: 'mergeMart-2' });
  await save(namespace, { workflowId: 'scheduled-keys', runId: started.firstExecutionRunId, file: 'startScheduled-3' });
}

/** `node test/replay/record.ts merges` records a part. */
const parts = {
  supervisor: recordSupervisor,
  batch: recordBatch,
  merges: recordMerges,
  keys: recordKeys,
  relay: recordRelay,
};
for (const [part, record] of Object.entries(parts)) {
  if (process.argv[2] === undefined || process.argv[2] === part) await record();
}
