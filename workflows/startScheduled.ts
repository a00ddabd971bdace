import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { executeChild, ParentClosePolicy } from '@temporalio/workflow';
import { workflowIds } from '../core/names.ts';
import type { ScheduledWork } from '../core/schedules.ts';
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
  const table = work.kind === 'reference' ? work.table : undefined;
  const workflowId = table === undefined ? workflowIds.verify(pipeline) : workflowIds.reference(pipeline, table);
  const shown = table === undefined ? { pipeline } : { pipeline, table };
  publish({ ...shown, stage: 'started', details: `Runs \`${workflowId}\`.` });
  try {
    await executeChild(table === undefined ? 'verifyPipeline' : 'loadReference', {
      workflowId,
      args: table === undefined ? [pipeline] : [pipeline, table],
      // A starter that is terminated leaves the work running.
      parentClosePolicy: ParentClosePolicy.ABANDON,
      typedSearchAttributes: searchAttributes(shown),
      staticSummary: table === undefined ? `Verify ${pipeline}` : `Load ${pipeline}.${table}`,
    });
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    publish({ ...shown, stage: 'joined', details: `\`${workflowId}\` was running already; nothing was started.` });
    return { workflowId, joined: true };
  }
  publish({ ...shown, stage: 'done', details: `\`${workflowId}\` has finished.` });
  return { workflowId, joined: false };
}
