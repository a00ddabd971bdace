import type { StreamActivities } from '../core/activityTypes.ts';
import { streamTables } from '../core/definition.ts';
import { beginHistories } from './beginHistories.ts';
import type { ActivityDeps } from './deps.ts';
import { skipLostEvents } from './lostEvents.ts';
import { applyPlan, planPipeline } from './planPipeline.ts';
import { findDrift } from './schemaDrift.ts';
import { schemaReport } from './schemaRecord.ts';
import { snapshotState } from './snapshotRecord.ts';

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
        return {
          ...known,
          snapshotNeeded: false,
          reason,
          drifted,
          schema: await schemaReport(deps.clickhouse, pipeline),
        };
      }
      await applyPlan(await planPipeline(deps, name));
      const { finished, reason } = await snapshotState(deps, pipeline);
      if (finished) await beginHistories(deps, pipeline);
      return {
        ...{ ...known, snapshotNeeded: !finished, reason, drifted },
        schema: await schemaReport(deps.clickhouse, pipeline),
      };
    },
  };
}
