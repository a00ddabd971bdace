import { openKafka } from '../adapters/kafka.ts';
import { startGroup, type TopicStart } from '../adapters/kafkaPositions.ts';
import { currentInsertLsn } from '../adapters/replication.ts';
import { type HistoryTable, historyTables, type Pipeline } from '../core/definition.ts';
import { formatLsn } from '../core/lsn.ts';
import { topicOf } from '../core/names.ts';
import type { ActivityDeps } from './deps.ts';
import { catalogSession, firstSchemas } from './schemaDrift.ts';
import { readHistory, recordSchemas } from './schemaRecord.ts';

/**
 * Lets histories begin that came to the pipeline after its snapshot: none of their rows is copied, so the slot goes on. The
 * stream must not run meanwhile, unless their topics are new. Done again, it changes nothing.
 */
export async function beginHistories(deps: ActivityDeps, pipeline: Pipeline): Promise<void> {
  const tables = historyTables(pipeline);
  if (tables.length === 0) return;
  const kafka = openKafka(deps.environment);
  const recorded = await readHistory(deps.clickhouse, pipeline);
  const starts = historyStarts(pipeline, ({ label }) => recorded.has(label));
  await startGroup(kafka, { group: pipeline.stream.consumerGroup, starts, lost: 'keep' });
  const fresh = tables.filter(({ label }) => !recorded.has(label));
  if (fresh.length === 0) return;
  const session = await catalogSession(deps, pipeline);
  try {
    const lsn = formatLsn(await currentInsertLsn(session));
    await recordSchemas(deps.clickhouse, pipeline, { lsn, tables: await firstSchemas(session, fresh) });
  } finally {
    await session.end();
  }
}

/**
 * The topics of a pipeline's histories, and where each begins to be read.
 * @param begun whether one has begun before.
 */
export function historyStarts(pipeline: Pipeline, begun: (table: HistoryTable) => boolean): TopicStart[] {
  return historyTables(pipeline).map((table) => {
    return { topic: topicOf(pipeline, table), start: table.history.start, begun: begun(table) };
  });
}
