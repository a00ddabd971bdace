import { defineQuery, setHandler } from '@temporalio/workflow';
import type { CopyPhase, ReferenceResult } from '../core/activityTypes.ts';
import { copyReference } from './activities.ts';
import { publish } from './publish.ts';

/** Where the load stands; rows and bytes are in the heartbeat of the activity, which a query cannot see. */
export const progressQuery = defineQuery<CopyPhase>('progress');

/** Loads one reference table whole and swaps it in. Until it has, readers see the load before. */
export async function loadReference(pipeline: string, table: string): Promise<ReferenceResult> {
  let phase: CopyPhase = 'copying';
  setHandler(progressQuery, () => phase);
  publish({
    ...{ pipeline, table, stage: phase },
    details: `Loading **${pipeline}.${table}** whole. The load before stays visible until it is swapped in.`,
  });
  const result = await copyReference(pipeline, table);
  phase = 'done';
  publish({
    ...{ pipeline, table, stage: phase },
    details: `Loaded **${pipeline}.${table}**: ${result.rows} rows in ${result.seconds.toFixed(1)} s.`,
  });
  return result;
}
