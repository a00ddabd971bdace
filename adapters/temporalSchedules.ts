import { type Client, type ScheduleDescription, ScheduleNotFoundError } from '@temporalio/client';
import { TASK_QUEUES } from '../core/names.ts';
import {
  EVERY,
  type ExistingSchedule,
  fingerprint,
  policyOf,
  subjectOf,
  type WantedSchedule,
} from '../core/schedules.ts';
import { searchAttributes } from '../core/searchAttributes.ts';

/** A schedule's own memo says whose it is; schedules that people made by hand lack it. */
const MARK = { managedBy: 'tidegate' } as const;

/** When a schedule next starts something, for people. */
export interface NextRun {
  at: Date | null;
  paused: boolean;
  note: string | null;
}

/**
 * Reads the schedules to reconcile: the wanted ones by id, and all others that carry Tidegate's mark. The list of
 * schedules lags behind by a second or so; reading by id does not.
 */
export async function readSchedules(client: Client, wanted: readonly WantedSchedule[]): Promise<ExistingSchedule[]> {
  const ids = new Set(wanted.map(({ id }) => id));
  for await (const summary of client.schedule.list()) {
    if (isOurs(summary.memo)) ids.add(summary.scheduleId);
  }
  const read = await Promise.all([...ids].map((id) => readSchedule(client, id)));
  return read.filter((each) => each !== null);
}

async function readSchedule(client: Client, id: string): Promise<ExistingSchedule | null> {
  try {
    const description = await client.schedule.getHandle(id).describe();
    return {
      id,
      ours: isOurs(description.memo),
      pipeline: (description.action.args?.[0] as Partial<WantedSchedule['work']> | undefined)?.pipeline ?? null,
      fingerprint: fingerprintOf(description),
      paused: description.state.paused,
    };
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) return null;
    throw error;
  }
}

/** When each of Tidegate's schedules runs next, by schedule id. */
export async function nextRuns(client: Client): Promise<Map<string, NextRun>> {
  const runs = new Map<string, NextRun>();
  for await (const { scheduleId, memo, info, state } of client.schedule.list()) {
    if (!isOurs(memo)) continue;
    runs.set(scheduleId, { at: info.nextActionTimes[0] ?? null, paused: state.paused, note: state.note ?? null });
  }
  return runs;
}

export async function createSchedule(client: Client, wanted: WantedSchedule): Promise<void> {
  await client.schedule.create({
    scheduleId: wanted.id,
    ...definitionOf(wanted),
    memo: MARK,
    state: { note: wanted.note },
  });
}

/** Makes a schedule what the definitions want. An operator's pause and note stay. */
export async function updateSchedule(client: Client, wanted: WantedSchedule): Promise<void> {
  await client.schedule.getHandle(wanted.id).update(({ state }) => ({ ...definitionOf(wanted), state }));
}

export async function deleteSchedule(client: Client, id: string): Promise<void> {
  await client.schedule.getHandle(id).delete();
}

function definitionOf({ id, cron, work, note }: WantedSchedule) {
  const table = subjectOf(work);
  const attributes = searchAttributes({ pipeline: work.pipeline, ...(table !== undefined && { table }) });
  const { overlap, catchupMs } = policyOf(work);
  return {
    // The server turns cron text into calendars but keeps the comment, by which the text is found again.
    spec: cron.startsWith(EVERY)
      ? { intervals: [{ every: cron.slice(EVERY.length) as `${number}s` }] }
      : { cronExpressions: [`${cron} #${cron}`] },
    action: {
      type: 'startWorkflow' as const,
      workflowType: 'startScheduled',
      workflowId: `scheduled-${id}`,
      taskQueue: TASK_QUEUES.batch,
      args: [work],
      typedSearchAttributes: attributes,
      staticSummary: note,
    },
    policies: { overlap, catchupWindow: catchupMs },
    typedSearchAttributes: attributes,
  };
}

function fingerprintOf({ spec, action, policies }: ScheduleDescription): string {
  const texts = [
    ...(spec.calendars ?? []).map((calendar) => calendar.comment ?? ''),
    ...(spec.intervals ?? []).map(({ every }) => `${EVERY}${every / 1000}s`),
  ];
  const cron = texts.join(' | ');
  const policy = { overlap: String(policies.overlap), catchupMs: policies.catchupWindow };
  return fingerprint({ cron, work: action.args?.[0], policy });
}

function isOurs(memo: Record<string, unknown> | undefined): boolean {
  return memo?.['managedBy'] === MARK.managedBy;
}
