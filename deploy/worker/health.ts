import { hostname } from 'node:os';
import { Connection } from '@temporalio/client';
import { loadEnvironment } from '../../adapters/environment.ts';
import { connectionOptions, temporalSettings } from '../../adapters/temporalConnection.ts';
import { messageOf } from '../../core/errors.ts';
import { TASK_QUEUES } from '../../core/names.ts';

/**
 * The health check of a worker's container: does Temporal see this container poll each task queue? Names of task queues
 * as arguments limit the question to those. Exits 0 when it does; otherwise says what is missing and exits 1.
 */
const queues = process.argv.length > 2 ? process.argv.slice(2) : Object.values(TASK_QUEUES);
/** A poll waits up to a minute for work. */
const FRESH_MS = 120_000;
/** temporal.api.enums.v1.TaskQueueType */
const ACTIVITY = 2;

async function missingQueues(): Promise<string[]> {
  const settings = temporalSettings(loadEnvironment());
  const connection = await Connection.connect({ ...connectionOptions(settings), connectTimeout: 5000 });
  try {
    const polled = await Promise.all(queues.map((name) => isPolled(connection, settings.namespace, name)));
    return queues.filter((_, index) => !polled[index]);
  } finally {
    await connection.close();
  }
}

async function isPolled(connection: Connection, namespace: string, name: string): Promise<boolean> {
  const { pollers } = await connection.workflowService.describeTaskQueue({
    namespace,
    taskQueue: { name },
    taskQueueType: ACTIVITY,
  });
  const oldest = Date.now() - FRESH_MS;
  return pollers.some(
    ({ identity, lastAccessTime }) =>
      identity?.endsWith(`@${hostname()}`) && Number(lastAccessTime?.seconds ?? 0) * 1000 > oldest,
  );
}

try {
  const missing = await missingQueues();
  if (missing.length > 0) throw new Error(`this worker does not poll ${missing.join(', ')}`);
} catch (error) {
  console.error(messageOf(error));
  process.exitCode = 1;
}
