import { ApplicationFailure, WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  ChildWorkflowCancellationType,
  condition,
  defineQuery,
  getExternalWorkflowHandle,
  ParentClosePolicy,
  setHandler,
  sleep,
  startChild,
  workflowInfo,
} from '@temporalio/workflow';
import { dayAfter, dayOf } from '../core/days.ts';
import type { PartitionRequest } from '../core/mergeQueue.ts';
import type { MergedPart, MergePart, MergeRequest, Watermark } from '../core/mergeTypes.ts';
import { workflowIds } from '../core/names.ts';
import { searchAttributes } from '../core/searchAttributes.ts';
import { awaitInputs, planMerge } from './activities.ts';
import { addDaysSignal, type MergeAnswer, mergedSignal, mergePartition } from './mergePartition.ts';
import { publish } from './publish.ts';

export interface MergeResult {
  parts: MergedPart[];
  days: number;
  rows: number;
}

/** Which parts are merged, and how many there are. */
export const progressQuery = defineQuery<{ parts: number; merged: MergedPart[] }>('progress');

/**
 * Merges days of a mart, partition by partition.
 * @param request default: every day up to the one before the start that is not merged, or dirty.
 */
export async function mergeMart(pipeline: string, mart: string, request?: MergeRequest): Promise<MergeResult> {
  const merged: MergedPart[] = [];
  const answers: MergeAnswer[] = [];
  let parts: MergePart[] = [];
  setHandler(progressQuery, () => ({ parts: parts.length, merged }));
  setHandler(mergedSignal, (answer) => void answers.push(answer));
  const say = (stage: string, details: string) => publish({ pipeline, table: mart, stage, details });

  say('waiting', `Waiting until what **${pipeline}.${mart}** reads has landed.`);
  let watermark = await awaitInputs(pipeline, mart);
  const yesterday = dayAfter(dayOf(workflowInfo().startTime), -1);
  ({ parts } = await planMerge(pipeline, mart, request ?? { outstandingUpTo: yesterday }));
  for (const part of parts) {
    const days = `${part.days[0]} to ${part.days.at(-1)}`;
    while (watermark.at < part.readyAt) {
      say('waiting', `${days} may be merged from ${part.readyAt} on, when late input has landed.`);
      await sleep(Math.max(0, Date.parse(part.readyAt) - Date.now()) + 1000);
      watermark = await awaitInputs(pipeline, mart);
    }
    say('merging', `Merging ${days} into partition ${part.partition}; ${merged.length} of ${parts.length} are done.`);
    merged.push(await mergePart({ pipeline, mart, part, watermark, answers }));
  }
  const result = {
    parts: merged,
    days: merged.reduce((sum, each) => sum + each.days.length, 0),
    rows: merged.reduce((sum, each) => sum + each.rows, 0),
  };
  say('merged', `Merged ${result.days} days, ${result.rows} rows.`);
  return result;
}

/** How long an answer may take before the partition's workflow is looked for again: it may have been terminated. */
const LOOK_AGAIN = '5 minutes';

/** Has one partition's workflow merge some days: it is started, or gets the days when it runs already. */
async function mergePart(options: {
  pipeline: string;
  mart: string;
  part: MergePart;
  watermark: Watermark;
  answers: MergeAnswer[];
}): Promise<MergedPart> {
  const { pipeline, mart, part, watermark, answers } = options;
  const { partition, days } = part;
  const { workflowId: asking, runId } = workflowInfo();
  const request: PartitionRequest = { workflowId: asking, runId, days, watermark };
  const workflowId = workflowIds.merge(pipeline, mart, partition);
  const answered = () => answers.find((answer) => answer.partition === partition && answer.day === days[0]);
  for (;;) {
    try {
      await startChild(mergePartition, {
        workflowId,
        args: [pipeline, mart, { partition, request }],
        // Others may have asked for days of it, too.
        parentClosePolicy: ParentClosePolicy.ABANDON,
        cancellationType: ChildWorkflowCancellationType.ABANDON,
        typedSearchAttributes: searchAttributes({ pipeline, table: mart }),
        staticSummary: `Merge ${pipeline}.${mart}, partition ${partition}`,
      });
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      const reached = await getExternalWorkflowHandle(workflowId)
        .signal(addDaysSignal, request)
        .then(
          () => true,
          () => false,
        );
      // It has ended just now, so it can be started.
      if (!reached) continue;
    }
    if (!(await condition(() => answered() !== undefined, LOOK_AGAIN))) continue;
    const { merged, failure } = answered()!;
    if (merged) return merged;
    throw ApplicationFailure.create({ type: failure!.code, message: failure!.message, nonRetryable: true });
  }
}
