import { setTimeout as delay } from 'node:timers/promises';
import {
  GracefulShutdownPeriodExpiredError,
  NativeConnection,
  type Worker,
  type WorkerOptions,
} from '@temporalio/worker';
import { createActivities } from '../activities/index.ts';
import { ClickHouse } from '../adapters/clickhouse.ts';
import type { Definitions } from '../adapters/definitions.ts';
import type { Environment } from '../adapters/environment.ts';
import {
  connectionOptions,
  ensureSearchAttributes,
  type TemporalSettings,
  temporalSettings,
  temporalUnreachable,
} from '../adapters/temporalConnection.ts';
import { messageOf } from '../core/errors.ts';
import { TASK_QUEUES } from '../core/names.ts';
import { workflowBundle } from './bundle.ts';
import { installRuntime, type Log } from './logging.ts';
import { workersOnOneThread } from './oneThread.ts';

export type Queue = keyof typeof TASK_QUEUES;

export interface RunWorkersOptions {
  environment: Environment;
  definitions: Definitions;
  /** Default: all. */
  queues?: readonly Queue[];
  /** Aborting it stops the workers: streams land and commit what they hold, copies are given up and tried again later. */
  signal: AbortSignal;
  /** Gets one line at a time; default: standard output. */
  log?: Log;
}

/** How long Temporal may take to appear; it is often started side by side. */
const PATIENCE_MS = 30_000;

/** A flush takes far less; after this a stopping worker leaves its activities behind. */
const FORCE_AFTER = '15 seconds';

/**
 * Runs a worker for each task queue in this process until the signal is aborted and they have stopped.
 * @throws TidegateError SERVICE_UNREACHABLE when Temporal does not answer within half a minute.
 */
export async function runWorkers(options: RunWorkersOptions): Promise<void> {
  const { environment, definitions, signal, queues = ['stream', 'batch'], log = console.log } = options;
  installRuntime(log, environment.optional('TIDEGATE_LOG_LEVEL'));
  const settings = temporalSettings(environment);
  const clickhouse = ClickHouse.from(environment);
  const [connection, bundle] = await Promise.all([
    connectPatiently(settings, { signal, log }),
    workflowBundle(environment),
  ]);
  try {
    if (connection === null) return;
    await ensureSearchAttributes(connection, settings.namespace).catch((error) => log(messageOf(error)));
    const shared = {
      connection,
      namespace: settings.namespace,
      workflowBundle: bundle,
      activities: createActivities({ environment, definitions, clickhouse }),
    };
    const QueueWorker = workersOnOneThread();
    const workers = await Promise.all(
      queues.map((queue) => QueueWorker.create({ ...shared, ...optionsOf(queue, definitions) })),
    );
    log(`worker ready on ${queues.join(', ')} at ${settings.address}, pipelines: ${definitions.names.join(', ')}`);
    await runUntil(workers, signal);
    log('worker stopped');
  } finally {
    await connection?.close();
    await clickhouse.close();
  }
}

/** What differs between the queues. */
function optionsOf(queue: Queue, definitions: Definitions): Partial<WorkerOptions> & { taskQueue: string } {
  return {
    taskQueue: TASK_QUEUES[queue],
    // Each pipeline holds two slots for as long as it runs, and a third while it is prepared. Copies are heavy.
    maxConcurrentActivityTaskExecutions: queue === 'stream' ? 3 * definitions.names.length + 10 : 4,
    // A heartbeat's answer brings the cancellation of a pause; by default it is held back for 80 % of the timeout.
    maxHeartbeatThrottleInterval: '1 second',
    // How long a workflow waits for the worker that knows it, when that has been killed; histories are short to replay.
    stickyQueueScheduleToStartTimeout: '2 seconds',
    // Activities are cancelled at once when the worker stops: only that makes a stream land what it holds.
    shutdownGraceTime: 0,
    shutdownForceTime: FORCE_AFTER,
  };
}

async function runUntil(workers: readonly Worker[], signal: AbortSignal): Promise<void> {
  const stop = () => {
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
  };
  const runs = workers.map((worker) => worker.run());
  signal.addEventListener('abort', stop);
  if (signal.aborted) stop();
  try {
    // One worker that breaks takes the others with it, so that whoever watches the process notices.
    await Promise.all(runs);
  } catch (error) {
    stop();
    await Promise.allSettled(runs);
    if (!(signal.aborted && error instanceof GracefulShutdownPeriodExpiredError)) throw error;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** @returns null when the signal was aborted before Temporal answered. */
async function connectPatiently(
  settings: TemporalSettings,
  { signal, log }: { signal: AbortSignal; log: Log },
): Promise<NativeConnection | null> {
  const deadline = Date.now() + PATIENCE_MS;
  for (let said = false; !signal.aborted; said = true) {
    try {
      return await NativeConnection.connect(connectionOptions(settings));
    } catch (cause) {
      const unreachable = temporalUnreachable(settings, cause);
      if (Date.now() >= deadline) throw unreachable;
      if (!said) log(`waiting for Temporal at ${settings.address}`);
      await delay(1000, undefined, { signal }).catch(() => undefined);
    }
  }
  return null;
}
