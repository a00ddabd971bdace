import { setTimeout as delay } from 'node:timers/promises';
import { type Client, WorkflowFailedError, WorkflowNotFoundError } from '@temporalio/client';
import { ApplicationFailure, defaultFailureConverter, defaultPayloadConverter } from '@temporalio/common';
import type { VerifyReport } from '../core/activityTypes.ts';
import { type Failure, failureOf } from '../core/failures.ts';
import { SEARCH_ATTRIBUTES } from '../core/names.ts';

/** An activity that a workflow waits for, with what its last heartbeat said. */
export interface PendingActivity {
  type: string;
  /** 1 for the first. */
  attempt: number;
  started: boolean;
  /** Details of the last heartbeat, also of an earlier attempt; null before the first. */
  heartbeat: unknown;
  lastFailure: Failure | null;
}

/** The newest run of a workflow. */
export interface Work {
  workflowId: string;
  runId: string;
  /** RUNNING, COMPLETED, FAILED, CANCELLED, TERMINATED, TIMED_OUT, CONTINUED_AS_NEW. */
  status: string;
  /** Value of the search attribute Stage. */
  stage: string | null;
  startedAt: Date;
  closedAt: Date | null;
  activities: PendingActivity[];
}

/** Describes the newest run of a workflow with the heartbeats of its activities; null when it never ran. */
export async function describeWork(client: Client, workflowId: string): Promise<Work | null> {
  try {
    const description = await client.workflow.getHandle(workflowId).describe();
    const stages = description.searchAttributes[SEARCH_ATTRIBUTES.stage];
    return {
      workflowId,
      runId: description.runId,
      status: description.status.name,
      stage: stages?.[0] === undefined ? null : String(stages[0]),
      startedAt: description.startTime,
      closedAt: description.closeTime ?? null,
      activities: (description.raw.pendingActivities ?? []).map(pendingActivity),
    };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return null;
    throw error;
  }
}

type RawPending = NonNullable<
  Awaited<ReturnType<ReturnType<Client['workflow']['getHandle']>['describe']>>['raw']['pendingActivities']
>[number];

function pendingActivity(raw: RawPending): PendingActivity {
  const payload = raw.heartbeatDetails?.payloads?.[0];
  const failure = raw.lastFailure && defaultFailureConverter.failureToError(raw.lastFailure, defaultPayloadConverter);
  return {
    type: raw.activityType?.name ?? '',
    attempt: raw.attempt ?? 1,
    started: Boolean(raw.lastStartedTime),
    heartbeat: payload ? defaultPayloadConverter.fromPayload(payload) : null,
    lastFailure: failure ? failureOf(failure) : null,
  };
}

const POLL_MS = 500;

/**
 * Waits for a workflow that was started or joined, telling about its activities twice a second.
 * @returns its result; what it fails with is thrown as the client throws it (see failureOf).
 */
export async function followWork<T>(
  client: Client,
  {
    workflowId,
    onActivities,
  }: { workflowId: string; onActivities: (found: PendingActivity[]) => void | Promise<void> },
): Promise<T> {
  const result = client.workflow.getHandle(workflowId).result() as Promise<T>;
  let ended = false;
  const end = result.then(
    () => undefined,
    () => undefined,
  );
  void end.then(() => {
    ended = true;
  });
  while (!ended) {
    const work = await describeWork(client, workflowId);
    if (work && !ended) await onActivities(work.activities);
    await Promise.race([end, delay(POLL_MS)]);
  }
  return await result;
}

/**
 * Waits for a verification. A difference is a report like any other here; the workflow fails with it.
 * @throws what the workflow fails with otherwise.
 */
export async function followVerify(
  client: Client,
  options: { workflowId: string; onActivities: (activities: PendingActivity[]) => void },
): Promise<VerifyReport> {
  try {
    return await followWork<VerifyReport>(client, options);
  } catch (error) {
    const cause = error instanceof WorkflowFailedError ? error.cause : undefined;
    if (cause instanceof ApplicationFailure && cause.type === 'DIFFERENCE_FOUND' && cause.details?.[0]) {
      return cause.details[0] as VerifyReport;
    }
    throw error;
  }
}
