import {
  defineSearchAttributeKey,
  SearchAttributeType,
  WorkflowExecutionAlreadyStartedError,
} from '@temporalio/common';
import { executeChild, ParentClosePolicy, workflowInfo } from '@temporalio/workflow';
import { dayAfter, dayOf } from '../core/days.ts';
import type { MergeRequest } from '../core/mergeTypes.ts';
import { workflowIds } from '../core/names.ts';
import { type ScheduledWork, subjectOf } from '../core/schedules.ts';
import { searchAttributes } from '../core/searchAttributes.ts';
import { publish } from './publish.ts';

/** How a scheduled start went: by its own child, or by joining what someone else had started. */
export interface ScheduledStart {
  workflowId: string;
  joined: boolean;
}

/**
 * What every schedule starts. Temporal appends the time to the ids of scheduled workflows, so the work itself is a child
 * that has the same id as a start by hand: two of them never run side by side. Fails when the child fails.
 */
export async function startScheduled(work: ScheduledWork): Promise<ScheduledStart> {
  const { pipeline } = work;
  const table = subjectOf(work);
  const { type, workflowId, args, summary } = childOf(work);
  const shown = table === undefined ? { pipeline } : { pipeline, table };
  publish({ ...shown, stage: 'started', details: `Runs \`${workflowId}\`.` });
  try {
    await executeChild(type, {
      workflowId,
      args,
      // A starter that is terminated leaves the work running.
      parentClosePolicy: ParentClosePolicy.ABANDON,
      typedSearchAttributes: searchAttributes(shown),
      staticSummary: summary,
    });
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    publish({ ...shown, stage: 'joined', details: `\`${workflowId}\` was running already; nothing was started.` });
    return { workflowId, joined: true };
  }
  publish({ ...shown, stage: 'done', details: `\`${workflowId}\` has finished.` });
  return { workflowId, joined: false };
}

function childOf(work: ScheduledWork): { type: string; workflowId: string; args: unknown[]; summary: string } {
  const { kind, pipeline } = work;
  if (kind === 'verify') {
    const workflowId = workflowIds.verify(pipeline);
    return { type: 'verifyPipeline', workflowId, args: [pipeline], summary: `Verify ${pipeline}` };
  }
  if (kind === 'reference') {
    const { table } = work;
    const workflowId = workflowIds.reference(pipeline, table);
    return { type: 'loadReference', workflowId, args: [pipeline, table], summary: `Load ${pipeline}.${table}` };
  }
  const { mart } = work;
  if (kind === 'refresh') {
    const workflowId = workflowIds.merge(pipeline, mart, 'keys');
    const request: MergeRequest = { keys: true };
    return {
      ...{ type: 'mergeMart', workflowId, args: [pipeline, mart, request] },
      summary: `Merge ${pipeline}.${mart} by keys`,
    };
  }
  const day = dayAfter(dayOf(scheduledTime()), -1);
  const request: MergeRequest = { days: { from: day, to: day }, outstandingUpTo: day };
  const workflowId = workflowIds.merge(pipeline, mart, day);
  return {
    type: 'mergeMart',
    workflowId,
    args: [pipeline, mart, request],
    summary: `Merge ${pipeline}.${mart} for ${day}`,
  };
}

/** The time that the schedule meant, also when the server comes to it late or a backfill goes over the past. */
function scheduledTime(): Date {
  const { typedSearchAttributes, startTime } = workflowInfo();
  const key = defineSearchAttributeKey('TemporalScheduledStartTime', SearchAttributeType.DATETIME);
  return typedSearchAttributes.get(key) ?? startTime;
}
