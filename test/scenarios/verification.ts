import assert from 'node:assert/strict';
import { followVerify } from '../../adapters/temporalWork.ts';
import type { TableVerification, VerifyReport } from '../../core/activityTypes.ts';
import type { Scenario } from './harness.ts';

/** Compares a scenario's pipeline with its source, as `tidegate verify` does. */
export async function verify(scenario: Scenario, options?: { repair: boolean }): Promise<VerifyReport> {
  const workflowId = await scenario.temporal.startVerify(scenario.name, options);
  return await followVerify(scenario.temporal.client, { workflowId, onActivities: () => undefined });
}

export function resultOf(report: VerifyReport, table: string): TableVerification {
  const found = report.tables.find((each) => each.table === table);
  assert.ok(found, `${table} is in the report`);
  return found;
}
