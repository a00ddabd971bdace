import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { WorkflowHandle } from '@temporalio/client';
import type { RelayPhase, RelayStatus } from '../../core/activityTypes.ts';
import { FakeActivities, typedFailure } from './fakeActivities.ts';
import { openNamespace, type TestNamespace } from './namespace.ts';
import { until } from './until.ts';

const fakes = new FakeActivities();
let namespace: TestNamespace;
before(async () => {
  namespace = await openNamespace('relay');
  await namespace.startWorkers(fakes.activities);
});
after(() => namespace[Symbol.asyncDispose]());

async function start(pipeline: string) {
  const handle = await namespace.client.workflow.start('relayOutbox', {
    ...{ workflowId: `outbox-${pipeline}`, taskQueue: 'stream', args: [pipeline] },
  });
  return { fake: fakes.pipeline(pipeline), handle };
}

async function phase(handle: WorkflowHandle, wanted: RelayPhase): Promise<RelayStatus> {
  return await until(
    () => handle.query<RelayStatus>('status'),
    (status) => status.phase === wanted,
  );
}

describe('relayOutbox', { concurrency: true }, () => {
  test('relays, ends the relay for a pause, and relays again when resumed', async () => {
    const { fake, handle } = await start('paused');
    await until(
      () => fake.count('runRelay starts'),
      (starts) => starts === 1,
    );
    await handle.signal('pause');
    await phase(handle, 'paused');
    assert.equal(fake.count('runRelay ended'), 1);
    const { searchAttributes } = await handle.describe();
    assert.deepEqual([searchAttributes['Pipeline'], searchAttributes['Stage']], [['paused'], ['paused']]);
    await handle.signal('resume');
    await until(
      () => fake.count('runRelay starts'),
      (starts) => starts === 2,
    );
  });

  test('backs off and goes on after what passes, and stops with the reason of what does not', async () => {
    fakes.pipeline('failing').fail('runRelay', typedFailure('SERVICE_UNREACHABLE'));
    const { fake, handle } = await start('failing');
    await until(
      () => fake.count('runRelay starts'),
      (starts) => starts === 2,
    );
    fake.breakers.runRelay?.(typedFailure('MESSAGE_TOO_LARGE', 'the row with id 7'));
    const status = await phase(handle, 'failed');
    assert.match(status.reason, /the row with id 7/);
    await handle.signal('resume');
    await phase(handle, 'relaying');
  });

  test('waits for the end of the batch under way when it is cancelled', async () => {
    const { fake, handle } = await start('cancelled');
    await until(
      () => fake.count('runRelay starts'),
      (starts) => starts === 1,
    );
    await handle.cancel();
    await assert.rejects(handle.result());
    assert.equal(fake.count('runRelay ended'), 1);
  });
});
