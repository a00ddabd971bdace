import { ActivityCancellationType, type ActivityOptions, proxyActivities } from '@temporalio/workflow';
import type { BatchActivities, StreamActivities } from '../core/activityTypes.ts';
import { BACKOFF_POLICY } from '../core/backoff.ts';
import { NON_RETRYABLE_CODES } from '../core/failures.ts';
import { TASK_QUEUES } from '../core/names.ts';

/**
 * Cancelling is waited for, so that the last flush of a stream is committed, and the leftovers of a copy are removed,
 * before the workflow goes on.
 */
const waitWhenCancelled = { cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED } as const;

/** One attempt each: the supervisor owns the back-off, so that the Web UI can say why it waits and since when. */
const once = { taskQueue: TASK_QUEUES.stream, retry: { maximumAttempts: 1 }, ...waitWhenCancelled } as const;

/** The long activities last until they are cancelled; a worker that was killed is noticed by its missing heartbeats. */
const untilCancelled = { ...once, startToCloseTimeout: '365 days', heartbeatTimeout: '20 seconds' } as const;

export const { prepareStream } = proxyActivities<StreamActivities>({
  ...once,
  startToCloseTimeout: '1 minute',
  summary: 'Check the source, create what is missing',
});

/** Altering a target may rewrite its column, which takes its time on a large table. */
export const { evolveTables } = proxyActivities<StreamActivities>({
  ...untilCancelled,
  startToCloseTimeout: '12 hours',
  summary: 'Bring targets and landing tables up to date with the source’s schema',
});

export const { runStream } = proxyActivities<StreamActivities>({
  ...untilCancelled,
  summary: 'Move changes from Kafka into ClickHouse',
});

export const { watchConnector } = proxyActivities<StreamActivities>({
  ...untilCancelled,
  summary: 'Watch the Debezium connector and its replication slot',
});

export const { runRelay } = proxyActivities<StreamActivities>({
  ...untilCancelled,
  summary: 'Send the rows of outboxes to Kafka and mark them',
});

/** Batch work is tried again by Temporal, with growing delays, for codes that a retry may cure. */
const retried = {
  taskQueue: TASK_QUEUES.batch,
  heartbeatTimeout: '30 seconds',
  retry: { ...BACKOFF_POLICY, nonRetryableErrorTypes: NON_RETRYABLE_CODES },
  ...waitWhenCancelled,
} as const satisfies ActivityOptions;

export const { copySnapshot } = proxyActivities<BatchActivities>({
  ...retried,
  startToCloseTimeout: '30 days',
  summary: 'Copy all stream tables under the slot’s own snapshot',
});

export const { resyncTable } = proxyActivities<BatchActivities>({
  ...retried,
  startToCloseTimeout: '30 days',
  summary: 'Copy the table beside its stream and swap it in',
});

/** A daily load gives up after half a day: the next one is not far. */
export const { copyReference } = proxyActivities<BatchActivities>({
  ...retried,
  scheduleToCloseTimeout: '12 hours',
  summary: 'Copy the whole table and swap it in',
});

export const { verifyTables } = proxyActivities<BatchActivities>({
  ...retried,
  scheduleToCloseTimeout: '12 hours',
  summary: 'Compare source and target by count and checksum',
});

/** A merge waits as long as its input does not come: a pause of the stream is no failure. */
export const { awaitInputs } = proxyActivities<BatchActivities>({
  ...retried,
  startToCloseTimeout: '365 days',
  summary: 'Wait until the inputs have landed',
});

export const { planMerge } = proxyActivities<BatchActivities>({
  ...retried,
  heartbeatTimeout: '10 minutes',
  startToCloseTimeout: '10 minutes',
  summary: 'Find the days to merge',
});

export const { mergeDays } = proxyActivities<BatchActivities>({
  ...retried,
  startToCloseTimeout: '7 days',
  summary: 'Build the partition aside and swap it in',
});

/** Readers wait for it; and one that is believed dead too soon merges nothing more. */
export const { mergeKeys } = proxyActivities<BatchActivities>({
  ...retried,
  heartbeatTimeout: '15 seconds',
  startToCloseTimeout: '7 days',
  summary: 'Select the rows of changed keys anew',
});
