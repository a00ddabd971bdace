import type { StreamActivities } from '../core/activityTypes.ts';
import { type Pipeline, replicaTables, streamTables } from '../core/definition.ts';
import { blockedItems } from '../core/plan.ts';
import { beginHistories } from './beginHistories.ts';
import type { ActivityDeps } from './deps.ts';
import { skipLostEvents } from './lostEvents.ts';
import { applyPlan, planPipeline } from './planPipeline.ts';
import { catalogSession, findDrift, firstSchemas } from './schemaDrift.ts';
import { type FollowedSchema, readHistory, recordSchemas, schemaReport } from './schemaRecord.ts';
import { noteRemoved, snapshotState } from './snapshotRecord.ts';

/** The supervisor's first step: the same plan and apply that the command line does, then what the slot says. */
export function prepareStream(deps: ActivityDeps): Pick<StreamActivities, 'prepareStream'> {
  return {
    async prepareStream(name, skipLost = false) {
      const { pipeline, hash } = deps.definitions.get(name);
      if (skipLost) await skipLostEvents(deps.environment, pipeline);
      const tables = streamTables(pipeline).map((table) => table.label);
      const known = { definitionHash: hash, tables };
      const drifted = tables.length > 0 ? await findDrift(deps, pipeline) : [];
      if (drifted.length > 0) {
        const reason = `the schema of ${drifted.join(', ')} has changed`;
        const schema = await schemaReport(deps.clickhouse, pipeline);
        return { ...known, snapshotNeeded: false, resync: [], reason, drifted, schema };
      }
      // Read before the plan, which reads the source again: what changes in between is then seen as drift.
      const added = await addedTables(deps, pipeline);
      const steps = await planPipeline(deps, name);
      if (blockedItems(steps).length === 0) await recordSchemas(deps.clickhouse, pipeline, { lsn: '', tables: added });
      await applyPlan(steps);
      await noteRemoved(deps.clickhouse, pipeline);
      const { finished, reason, resync } = await snapshotState(deps, pipeline);
      if (finished) await beginHistories(deps, pipeline);
      const schema = await schemaReport(deps.clickhouse, pipeline);
      return { ...known, snapshotNeeded: !finished, resync, reason, drifted, schema };
    },
  };
}

/**
 * Replicas that have come into a pipeline which is streamed already. For all others, the snapshot records what it copies;
 * a history records when it begins.
 */
async function addedTables(deps: ActivityDeps, pipeline: Pipeline): Promise<FollowedSchema[]> {
  const history = await readHistory(deps.clickhouse, pipeline);
  const added = replicaTables(pipeline).filter(({ label }) => !history.has(label));
  if (history.size === 0 || added.length === 0) return [];
  const session = await catalogSession(deps, pipeline);
  try {
    return await firstSchemas(session, added);
  } finally {
    await session.end();
  }
}
