import { defineQuery, setHandler } from '@temporalio/workflow';
import type { CopyPhase, SnapshotResult } from '../core/activityTypes.ts';
import { copySnapshot } from './activities.ts';
import { publish } from './publish.ts';

/** Where the work stands; rows and bytes are in the heartbeat of the activity, which a query cannot see. */
export const progressQuery = defineQuery<CopyPhase>('progress');

/** Copies all stream tables of a pipeline under a new slot's snapshot. A child of the supervisor. */
export async function snapshotTables(pipeline: string): Promise<SnapshotResult> {
  let phase: CopyPhase = 'copying';
  setHandler(progressQuery, () => phase);
  publish({
    ...{ pipeline, stage: phase },
    details: `Copying the stream tables of **${pipeline}**. The activity’s heartbeat counts rows and bytes of each table.`,
  });
  const result = await copySnapshot(pipeline);
  phase = 'done';
  const lines = result.tables.map(({ table, rows }) => `- ${table}: ${rows} rows`);
  publish({
    ...{ pipeline, stage: phase },
    details: [`Snapshot at ${result.lsn} in ${result.seconds.toFixed(1)} s:`, '', ...lines].join('\n'),
  });
  return result;
}
