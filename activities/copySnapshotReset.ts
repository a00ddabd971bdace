import type pg from 'pg';
import { Connect } from '../adapters/connect.ts';
import { moveGroupToEnds, openKafka } from '../adapters/kafka.ts';
import { startGroup } from '../adapters/kafkaPositions.ts';
import { ensureTopics } from '../adapters/kafkaTopics.ts';
import { dropSlot, endSessions } from '../adapters/replication.ts';
import { streamDdl, type TargetShape, wantedColumns } from '../core/ddl.ts';
import { type Pipeline, type PipelineTable, replicaTables, streamTables } from '../core/definition.ts';
import { chTable } from '../core/identifiers.ts';
import { topicOf, truncationsName } from '../core/names.ts';
import { alterTarget } from '../core/targetDiff.ts';
import { historyStarts } from './beginHistories.ts';
import { sourceConnectorConfig } from './connectorSource.ts';
import { dropLeftovers, MEANT, runAll } from './copyTarget.ts';
import type { ActivityDeps } from './deps.ts';
import { evolveHistory } from './evolveHistory.ts';
import { dropForReload, dropLanding, targetColumns } from './evolveTarget.ts';
import { stopEngine } from './kafkaEngine.ts';
import { readHistory } from './schemaRecord.ts';

/** Where a test may break the work off. */
export type ResetStep = 'connector stopped' | 'slot dropped' | 'offsets moved' | 'targets emptied';

/**
 * Takes away what an earlier attempt, or an earlier life of the stream, has left, so that the next slot begins with
 * nothing: sessions that still copy, the connector's progress, the slot, what waits in Kafka, and the targets' rows.
 * A history keeps its changes, and those that wait in Kafka still land in it. The connector is left stopped. Done again,
 * it changes nothing more.
 */
export async function resetStream(
  deps: ActivityDeps,
  options: {
    pipeline: Pipeline;
    /** A session of the capture role, and the application name of the sessions that copy. */
    session: pg.Client;
    applicationName: string;
    shapes: readonly TargetShape[];
    onStep: (step: ResetStep) => Promise<void>;
  },
): Promise<void> {
  const { pipeline, session, applicationName, shapes, onStep } = options;
  const { connector, slot, consumerGroup } = pipeline.stream;
  await endSessions(session, applicationName);
  await stopEngine(deps, pipeline);

  // A connector that does not exist may have left offsets; only a connector that exists can have them deleted.
  const connect = Connect.from(deps.environment);
  await connect.createStopped(connector, await sourceConnectorConfig(deps.environment, pipeline));
  await onStep('connector stopped');

  await dropSlot(session, slot);
  await connect.deleteOffsets(connector);
  await onStep('slot dropped');

  const kafka = openKafka(deps.environment);
  const topicsOf = (tables: readonly PipelineTable[]) => tables.map((table) => topicOf(pipeline, table));
  await ensureTopics(kafka, topicsOf(streamTables(pipeline)), pipeline.stream);
  await moveGroupToEnds(kafka, { group: consumerGroup, topics: topicsOf(replicaTables(pipeline)) });
  await startGroup(kafka, { group: consumerGroup, starts: historyStarts(pipeline, () => false), lost: 'begin anew' });
  await onStep('offsets moved');

  const { database } = pipeline;
  const targets = shapes.map(({ table }) => table.target);
  await dropLeftovers(deps.clickhouse, { database, targets });
  const recorded = await readHistory(deps.clickhouse, pipeline);
  for (const shape of shapes) {
    // Landing tables may be of what the messages before held, and targets of what the source was before.
    if (shape.table.history) {
      const versions = recorded.get(shape.table.label) ?? [];
      await evolveHistory(deps.clickhouse, pipeline, { shape, versions });
      continue;
    }
    const altered = alterTarget(await targetColumns(deps.clickhouse, shape), wantedColumns(shape));
    if (altered === null || altered.length > 0) await dropForReload(deps.clickhouse, shape);
    else await dropLanding(deps.clickhouse, shape);
    await runAll(deps.clickhouse, streamDdl(shape));
  }
  const replicas = shapes.filter(({ table }) => table.history === null);
  for (const name of replicas.flatMap(({ table }) => [table.target, truncationsName(table.target)])) {
    await deps.clickhouse.command(`TRUNCATE TABLE ${chTable({ database, name })}`, { settings: MEANT });
  }
  await onStep('targets emptied');
}
