import { chTable } from '../../core/identifiers.ts';
import type { Scenario } from './harness.ts';

/** Everything that ClickHouse's tables and Temporal's histories hold, as texts by their names. */
export async function stored({ name, clickhouse, temporal }: Scenario): Promise<Record<string, string>> {
  const texts: Record<string, string> = {};
  const tables = await clickhouse.rows<{ name: string }>(
    "SELECT name FROM system.tables WHERE database = {database:String} AND engine LIKE '%MergeTree'",
    { params: { database: name } },
  );
  for (const table of tables) {
    const rows = await clickhouse.rows(`SELECT * FROM ${chTable({ database: name, name: table.name })}`);
    texts[table.name] = rows.map((row) => JSON.stringify(row)).join('\n');
  }
  for await (const { workflowId, runId } of temporal.client.workflow.list()) {
    const history = await temporal.client.workflow.getHandle(workflowId, runId).fetchHistory();
    texts[`history of ${workflowId}`] = JSON.stringify(history, (_, value) =>
      value?.type === 'Buffer' ? Buffer.from(value.data).toString() : value,
    );
  }
  return texts;
}
