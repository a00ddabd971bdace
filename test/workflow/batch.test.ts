import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { describeWork, followVerify, followWork } from '../../adapters/temporalWork.ts';
import type { CopyProgress, VerifyReport } from '../../core/activityTypes.ts';
import { failureOf } from '../../core/failures.ts';
import type { ScheduledWork } from '../../core/schedules.ts';
import { FakeActivities, typedFailure } from './fakeActivities.ts';
import { openNamespace, type TestNamespace } from './namespace.ts';
import { until } from './until.ts';

const fakes = new FakeActivities();
let namespace: TestNamespace;
before(async () => {
  namespace = await openNamespace('batch');
  await namespace.startWorkers(fakes.activities);
});
after(() => namespace[Symbol.asyncDispose]());

async function startLoad(pipeline: string) {
  return await namespace.client.workflow.start('loadReference', {
    workflowId: `reference-${pipeline}-products`,
    taskQueue: 'batch',
    args: [pipeline, 'products'],
  });
}

async function startScheduled(id: string, work: ScheduledWork) {
  const options = { workflowId: `scheduled-${id}`, taskQueue: 'batch', args: [work] };
  return await namespace.client.workflow.start('startScheduled', options);
}

/** Copies of the pipeline wait until the returned function is called. */
function holdCopies(pipeline: string): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  fakes.pipeline(pipeline).copies = promise;
  return resolve;
}

describe('loadReference', { concurrency: true }, () => {
  test('tries a retryable failure again and returns what was loaded', async () => {
    fakes.pipeline('load').fail('copyReference', typedFailure('SHORT_LOAD'), typedFailure('SERVICE_UNREACHABLE'));
    const handle = await startLoad('load');
    const result = await followWork(namespace.client, { workflowId: handle.workflowId, onActivities: () => undefined });
    assert.deepEqual(result, { table: 'products', rows: 3, bytes: 30, seconds: 0.1 });
    assert.equal(fakes.pipeline('load').count('copyReference starts'), 3);
    const { searchAttributes } = await handle.describe();
    const { Pipeline, TableName, Stage } = searchAttributes;
    assert.deepEqual([Pipeline, TableName, Stage], [['load'], ['products'], ['done']]);
  });

  test('does not try again what no retry cures, and fails with its code', async () => {
    fakes.pipeline('refused').fail('copyReference', typedFailure('UNSUPPORTED_SOURCE', 'column x has type y'));
    const handle = await startLoad('refused');
    const error = await handle.result().then(() => assert.fail('it succeeded'), failureOf);
    assert.equal(error.code, 'UNSUPPORTED_SOURCE');
    assert.equal(error.message, 'column x has type y. Do this.');
    assert.equal(fakes.pipeline('refused').count('copyReference starts'), 1);
  });

  test('shows its heartbeat while it runs, and ends its activity when it is cancelled', async () => {
    holdCopies('cancelled');
    const handle = await startLoad('cancelled');
    const work = await until(
      () => describeWork(namespace.client, handle.workflowId),
      (each) => each?.activities[0]?.heartbeat != null,
    );
    const { tables } = work!.activities[0]!.heartbeat as CopyProgress;
    assert.deepEqual(tables, [{ table: 'products', phase: 'copying', rows: 1, bytes: 10, estimatedRows: 3 }]);
    await handle.cancel();
    await assert.rejects(handle.result());
    assert.equal((await handle.describe()).status.name, 'CANCELLED');
    assert.equal(fakes.pipeline('cancelled').count('copyReference cancelled'), 1);
  });
});

describe('startScheduled', { concurrency: true }, () => {
  test('runs the work under the id that a start by hand has', async () => {
    const starter = await startScheduled('a', { kind: 'reference', pipeline: 'scheduled', table: 'products' });
    assert.deepEqual(await starter.result(), { workflowId: 'reference-scheduled-products', joined: false });
    const work = await describeWork(namespace.client, 'reference-scheduled-products');
    assert.equal(work?.status, 'COMPLETED');
  });

  test('starts nothing while the work runs already, and says so', async () => {
    const letGo = holdCopies('joined');
    const byHand = await startLoad('joined');
    const starter = await startScheduled('b', { kind: 'reference', pipeline: 'joined', table: 'products' });
    assert.deepEqual(await starter.result(), { workflowId: 'reference-joined-products', joined: true });
    letGo();
    await byHand.result();
    assert.equal(fakes.pipeline('joined').count('copyReference starts'), 1);
  });

  test('fails when the work fails, so that the schedule shows it', async () => {
    fakes.pipeline('broken').fail('verifyTables', typedFailure('ACCESS_DENIED'));
    const starter = await startScheduled('c', { kind: 'verify', pipeline: 'broken' });
    const error = await starter.result().then(() => assert.fail('it succeeded'), failureOf);
    assert.equal(error.code, 'ACCESS_DENIED');
  });
});

describe('verifyPipeline', { concurrency: true }, () => {
  const table = {
    table: 'products',
    load: 'reference',
    notCompared: null,
    sourceRows: 3,
    targetRows: 2,
    equal: false,
    seconds: 0.1,
    deadLetters: 0,
    unsettled: 0,
    repaired: { keys: 0, shown: [] as VerifyReport['tables'][number]['differences'] },
  } as const;
  const differences: VerifyReport['tables'][number]['differences'] = [{ key: '[1]', kind: 'missing' }];

  test('fails with DIFFERENCE_FOUND and hands the report out all the same', async () => {
    const report = { pipeline: 'differs', lsn: '0/2', ok: false, tables: [{ ...table, differences }], seconds: 0.2 };
    fakes.pipeline('differs').report = report;
    const handle = await namespace.client.workflow.start('verifyPipeline', {
      ...{ workflowId: 'verify-differs', taskQueue: 'batch', args: ['differs'] },
    });
    const followed = await followVerify(namespace.client, {
      workflowId: 'verify-differs',
      onActivities: () => undefined,
    });
    assert.deepEqual(followed, report);
    const error = await handle.result().then(() => assert.fail('it succeeded'), failureOf);
    assert.equal(error.code, 'DIFFERENCE_FOUND');
    assert.deepEqual(await handle.query('report'), report);
  });

  test('compares again after a repair, and says what was repaired', async () => {
    const shown = [{ key: '["1"]', kind: 'missing' as const }];
    const mended = { ...table, load: 'stream' as const, equal: true, differences: [], repaired: { keys: 1, shown } };
    const verified = async (pipeline: string, tables: VerifyReport['tables']) => {
      fakes.pipeline(pipeline).report = { pipeline, lsn: '0/2', ok: true, tables, seconds: 0.2 };
      return (await namespace.client.workflow.execute('verifyPipeline', {
        ...{ workflowId: `verify-${pipeline}`, taskQueue: 'batch', args: [pipeline, { repair: true }] },
      })) as VerifyReport;
    };
    const report = await verified('mended', [mended]);
    assert.deepEqual(report.tables[0]?.repaired, { keys: 1, shown });
    assert.equal(fakes.pipeline('mended').count('verifyTables starts'), 2);
    await verified('whole', [{ ...mended, repaired: { keys: 0, shown: [] } }]);
    assert.equal(fakes.pipeline('whole').count('verifyTables starts'), 1);
  });

  test('fails also when a table is left aside, and says so instead of calling it different', async () => {
    const aside = { ...table, notCompared: 'it has no key. Add one.', sourceRows: null, targetRows: null };
    const tables = [{ ...aside, differences: [] }];
    fakes.pipeline('aside').report = { pipeline: 'aside', lsn: '0/2', ok: false, tables, seconds: 0.2 };
    const handle = await namespace.client.workflow.start('verifyPipeline', {
      ...{ workflowId: 'verify-aside', taskQueue: 'batch', args: ['aside'] },
    });
    const error = await handle.result().then(() => assert.fail('it succeeded'), failureOf);
    assert.deepEqual([error.code, error.message], ['DIFFERENCE_FOUND', 'not compared, because left aside: products.']);
  });
});
