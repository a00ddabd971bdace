import type { StreamActivities } from '../core/activityTypes.ts';
import { streamTables } from '../core/definition.ts';
import type { ActivityDeps } from './deps.ts';
import { applyPlan, planPipeline } from './planPipeline.ts';
import { snapshotState } from './snapshotRecord.ts';

/** The supervisor's first step: the same plan and apply that the command line does, then what the slot says. */
export function prepareStream(deps: ActivityDeps): Pick<StreamActivities, 'prepareStream'> {
  return {
    async prepareStream(name) {
      const { pipeline, hash } = deps.definitions.get(name);
      await applyPlan(await planPipeline(deps, name));
      const { finished, reason } = await snapshotState(deps, pipeline);
      return {
        definitionHash: hash,
        snapshotNeeded: !finished,
        reason,
        tables: streamTables(pipeline).map((table) => table.label),
      };
    },
  };
}
