import { randomUUID } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { loadEnvironment } from '../../adapters/environment.ts';
import { ensureSearchAttributes } from '../../adapters/temporalConnection.ts';
import type { BatchActivities, StreamActivities } from '../../core/activityTypes.ts';
import { TASK_QUEUES } from '../../core/names.ts';
import { workflowBundle } from '../../workers/bundle.ts';
import { installRuntime } from '../../workers/logging.ts';
import { workersOnOneThread } from '../../workers/oneThread.ts';

export type Activities = StreamActivities & BatchActivities;

/** A namespace of its own on the local stack's Temporal, so that ids and task queues are the real ones. */
export interface TestNamespace extends AsyncDisposable {
  name: string;
  client: Client;
  connection: Connection;
  /** Starts workers for both queues; they stop with the namespace, or when the returned function is called. */
  startWorkers(activities: Activities): Promise<() => Promise<void>>;
}

/** Namespaces are made and deleted in a few milliseconds. */
export async function openNamespace(label: string): Promise<TestNamespace> {
  // Failures are forced here by the dozen; what a test expects it asserts.
  installRuntime(() => undefined);
  const environment = loadEnvironment();
  const address = environment.required('TEMPORAL_ADDRESS');
  const name = `test-${label}-${randomUUID().slice(0, 8)}`;
  const connection = await Connection.connect({ address });
  await connection.workflowService.registerNamespace({
    namespace: name,
    workflowExecutionRetentionPeriod: { seconds: 86_400 as never },
  });
  await ensureSearchAttributes(connection, name);
  const native = await NativeConnection.connect({ address });
  const bundle = await workflowBundle(environment);
  const stops: (() => Promise<void>)[] = [];

  const startWorkers = async (activities: Activities) => {
    const QueueWorker = workersOnOneThread();
    const workers = await Promise.all(
      Object.values(TASK_QUEUES).map((taskQueue) =>
        QueueWorker.create({
          ...{ connection: native, namespace: name, taskQueue, workflowBundle: bundle, activities },
          maxHeartbeatThrottleInterval: '100 milliseconds',
        }),
      ),
    );
    const runs = workers.map((worker) => worker.run());
    const stop = async () => {
      for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
      await Promise.all(runs);
    };
    stops.push(stop);
    return stop;
  };

  return {
    ...{ name, connection, startWorkers },
    client: new Client({ connection, namespace: name }),
    async [Symbol.asyncDispose]() {
      for (const stop of stops) await stop();
      await native.close();
      await connection.operatorService.deleteNamespace({ namespace: name });
      await connection.close();
    },
  };
}
