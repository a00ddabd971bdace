import { ApplicationFailure, WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  ChildWorkflowCancellationType,
  condition,
  continueAsNew,
  defineQuery,
  getExternalWorkflowHandle,
  ParentClosePolicy,
  setHandler,
  sleep,
  startChild,
  workflowInfo,
} from '@temporalio/workflow';
import { dayAfter, dayOf, refusedRange } from '../core/days.ts';
import type { ErrorCode } from '../core/errors.ts';
import type { PartitionRequest } from '../core/mergeQueue.ts';
import type { MartProgress, MergedPart, MergePart, MergeRequest, MergeResult, Watermark } from '../core/mergeTypes.ts';
import { workflowIds } from '../core/names.ts';
import { searchAttributes } from '../core/searchAttributes.ts';
import { awaitInputs, planMerge } from './activities.ts';
import { AskedMerges, mergeByKeys } from './mergeByKeys.ts';
import { addDaysSignal, type MergeAnswer, mergedSignal, mergePartition } from './mergePartition.ts';
import { publish } from './publish.ts';

/** What a merge has done so far, and what remains. */
interface Earlier {
  parts: MergePart[];
  merged: MergedPart[];
}

export const progressQuery = defineQuery<MartProgress>('progress');

/**
 * Merges days of a mart, partition by partition; or a mart by keys.
 * @param request default: every day up to the one before the start that is not merged, or dirty.
 * @param earlier what the run before this one has left, when there were too many partitions for one.
 */
export async function mergeMart(
  pipeline: string,
  mart: string,
  request?: MergeRequest,
  earlier?: Earlier,
): Promise<MergeResult> {
  const asked = new AskedMerges();
  if (request?.keys) return await mergeByKeys(pipeline, mart, asked);
  const merged = earlier?.merged ?? [];
  const answers: MergeAnswer[] = [];
  let remaining = earlier?.parts ?? [];
  let merging: string | null = null;
  setHandler(progressQuery, () => ({ parts: merged.length + remaining.length, merged, merging }));
  setHandler(mergedSignal, (answer) => void answers.push(answer));
  const say = (stage: string, details: string) => publish({ pipeline, table: mart, stage, details });

  const today = dayOf(workflowInfo().startTime);
  const refused = request?.days && refusedRange(request.days, today);
  if (refused) throw refusal('INVALID_SETTING', `${refused}. Start it again with other days.`);
  say('waiting', `Waiting until what **${pipeline}.${mart}** reads has landed.`);
  let watermark = await awaitInputs(pipeline, mart);
  if (!earlier) {
    const plan = await planMerge(pipeline, mart, request ?? { outstandingUpTo: dayAfter(today, -1) });
    if (plan.byKeys) return await mergeByKeys(pipeline, mart, asked);
    remaining = plan.parts;
  }
  for (let part = remaining[0]; part; part = remaining[0]) {
    if (workflowInfo().continueAsNewSuggested) {
      return await continueAsNew<typeof mergeMart>(pipeline, mart, request, { parts: remaining, merged });
    }
    const days =
      part.days.length === 1 ? part.days[0] : `${part.days.length} days, ${part.days[0]} to ${part.days.at(-1)},`;
    while (watermark.at < part.readyAt) {
      say('waiting', `${days} may be merged from ${part.readyAt} on, when late input has landed.`);
      await sleep(Math.max(0, Date.parse(part.readyAt) - Date.now()) + 1000);
      watermark = await awaitInputs(pipeline, mart);
    }
    merging = part.partition;
    const done = `${merged.length} of ${merged.length + remaining.length} parts are done.`;
    say('merging', `Merging ${days} into partition ${part.partition}; ${done}`);
    merged.push(await mergePart({ pipeline, mart, part, watermark, answers }));
    remaining = remaining.slice(1);
    merging = null;
  }
  const result = {
    parts: merged,
    days: merged.reduce((sum, each) => sum + each.days.length, 0),
    rows: merged.reduce((sum, each) => sum + each.rows, 0),
  };
  say('merged', `Merged ${result.days} days, ${result.rows} rows.`);
  return result;
}

function refusal(code: ErrorCode, message: string): ApplicationFailure {
  return ApplicationFailure.create({ type: code, message: `${code}: ${message}`, nonRetryable: true });
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
