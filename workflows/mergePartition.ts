import { defineSignal, getExternalWorkflowHandle, setHandler } from '@temporalio/workflow';
import { failureOf } from '../core/failures.ts';
import { MergeQueue, type PartitionRequest } from '../core/mergeQueue.ts';
import type { MergedPart } from '../core/mergeTypes.ts';
import { mergeDays } from './activities.ts';
import { publish } from './publish.ts';

/** More days to merge into the same partition. */
export const addDaysSignal = defineSignal<[PartitionRequest]>('addDays');

/** What became of a request, for whoever made it. */
export interface MergeAnswer {
  partition: string;
  /** The first day that was asked for. */
  day: string;
  merged: MergedPart | null;
  failure: { code: string; message: string } | null;
}
export const mergedSignal = defineSignal<[MergeAnswer]>('merged');

/**
 * Merges days into one partition of a mart, one merge after another: a merge replaces the whole partition, so two at once
 * would lose days. Its id is the partition's, so there is one; more days are added to it by signal.
 */
export async function mergePartition(
  pipeline: string,
  mart: string,
  { partition, request }: { partition: string; request: PartitionRequest },
): Promise<void> {
  const queue = new MergeQueue();
  setHandler(addDaysSignal, (more) => queue.add(more));
  queue.add(request);
  let failed: unknown;
  for (let work = queue.next(); work !== null; work = queue.next()) {
    const { requests, days } = work;
    const what = `**${pipeline}.${mart}**, partition ${partition}`;
    publish({ pipeline, table: mart, stage: 'merging', details: `Merging ${days.length} days of ${what}.` });
    let merged: MergedPart | null = null;
    let failure: MergeAnswer['failure'] = null;
    try {
      merged = await mergeDays(pipeline, mart, { partition, days });
    } catch (error) {
      failed = error;
      const { code, message } = failureOf(error);
      failure = { code, message };
    }
    queue.done();
    for (const { workflowId, runId, days: asked } of requests) {
      // Who is gone by now does not want to know.
      await getExternalWorkflowHandle(workflowId, runId)
        .signal(mergedSignal, { partition, day: asked[0]!, merged, failure })
        .catch(() => undefined);
    }
    const state = failure ? `failed: ${failure.message}` : `merged, ${merged?.rows} rows`;
    publish({ pipeline, table: mart, stage: failure ? 'failed' : 'merged', details: `${what}: ${state}` });
    if (failed !== undefined && queue.waiting === 0) throw failed;
  }
}
