import { defineQuery, setHandler } from '@temporalio/workflow';
import type { CopyPhase, ResyncResult } from '../core/activityTypes.ts';
import { resyncTable as loadTable } from './activities.ts';
import { publish } from './publish.ts';

/** Where the work stands; rows, bytes and the step are in the heartbeat of the activity, which a query cannot see. */
export const progressQuery = defineQuery<CopyPhase>('progress');

/** Loads one stream table anew while all streams go on. A child of the supervisor. */
export async function resyncTable(pipeline: string, table: string): Promise<ResyncResult> {
  let phase: CopyPhase = 'copying';
  setHandler(progressQuery, () => phase);
  publish({
    ...{ pipeline, table, stage: phase },
    details: `Loading **${pipeline}.${table}** anew beside its stream. Readers see the rows of before until it is swapped in.`,
  });
  const result = await loadTable(pipeline, table);
  phase = 'done';
  publish({
    ...{ pipeline, table, stage: phase },
    details: `Loaded **${pipeline}.${table}** at ${result.lsn}: ${result.rows} rows in ${result.seconds.toFixed(1)} s.`,
  });
  return result;
}
