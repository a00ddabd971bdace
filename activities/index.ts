import { ApplicationFailure } from '@temporalio/common';
import type { BatchActivities, StreamActivities } from '../core/activityTypes.ts';
import { TidegateError } from '../core/errors.ts';
import { awaitInputs } from './awaitInputs.ts';
import { copyReference } from './copyReference.ts';
import { copySnapshot } from './copySnapshot.ts';
import type { ActivityDeps } from './deps.ts';
import { evolveTables } from './evolveTables.ts';
import { mergeDays } from './mergeDays.ts';
import { mergeKeys } from './mergeKeys.ts';
import { planMerge } from './planMerge.ts';
import { prepareStream } from './prepareStream.ts';
import { resyncTable } from './resyncTable.ts';
import { runRelay } from './runRelay.ts';
import { runStream } from './runStream.ts';
import { verifyTables } from './verifyTables.ts';
import { watchConnector } from './watchConnector.ts';

/** Every activity, wired to what the worker has. Workflows import only the types, from core/activityTypes.ts. */
export function createActivities(deps: ActivityDeps): StreamActivities & BatchActivities {
  return failingTyped(deps, {
    ...prepareStream(deps),
    ...evolveTables(deps),
    ...runStream(deps),
    ...watchConnector(deps),
    ...runRelay(deps),
    ...copySnapshot(deps),
    ...resyncTable(deps),
    ...copyReference(deps),
    ...verifyTables(deps),
    ...awaitInputs(deps),
    ...planMerge(deps),
    ...mergeDays(deps),
    ...mergeKeys(deps),
  });
}

/**
 * Lets each activity begin with the definitions as they are in their files now, and turns a TidegateError into a failure
 * whose type is the catalogue's code, so that workflows can decide by it.
 */
function failingTyped<T extends object>({ definitions }: ActivityDeps, activities: T): T {
  const wrap =
    (activity: (...args: unknown[]) => Promise<unknown>) =>
    async (...args: unknown[]) => {
      await definitions.refresh();
      try {
        return await activity(...args);
      } catch (error) {
        if (!(error instanceof TidegateError)) throw error;
        throw ApplicationFailure.create({
          ...{ type: error.code, message: error.line, nonRetryable: !error.retryable },
          ...(error.details !== undefined && { details: [error.details] }),
        });
      }
    };
  return Object.fromEntries(Object.entries(activities).map(([name, activity]) => [name, wrap(activity)])) as T;
}
