import type { ClickHouse } from '../adapters/clickhouse.ts';
import type { TableVerification } from '../core/activityTypes.ts';
import { historyRows } from '../core/ddlHistory.ts';
import type { PipelineTable } from '../core/definition.ts';

/** What is said of a history besides whether all has landed, and nothing was set aside: its changes stand in no source. */
export async function countHistory(
  clickhouse: ClickHouse,
  shape: { database: string; table: PipelineTable },
): Promise<Omit<TableVerification, 'table' | 'load' | 'notCompared' | 'deadLetters' | 'seconds'>> {
  const [counted] = await clickhouse.rows<{ rows: string }>(`SELECT count() AS rows FROM ${historyRows(shape)}`);
  return {
    ...{ sourceRows: null, targetRows: Number(counted!.rows), equal: true, differences: [] },
    ...{ unsettled: 0, repaired: { keys: 0, shown: [] } },
  };
}
