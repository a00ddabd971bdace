import type { FoundPipeline } from '../../adapters/definitions.ts';
import { streamTables } from '../../core/definition.ts';
import { engineGroup } from '../../core/kafkaEngine.ts';
import { kafkaTableName, kafkaViewName, topicOf } from '../../core/names.ts';
import type { PlannedStep } from '../../core/plan.ts';
import type { ActivityDeps } from '../deps.ts';
import { engineBrokers, ingestOf } from '../kafkaEngine.ts';

/**
 * Plans the objects by which ClickHouse takes changes in by itself. The stream makes them when it runs, and takes them
 * away when it pauses: while they exist, ClickHouse reads.
 */
export async function planKafkaEngine(
  { clickhouse, environment }: Pick<ActivityDeps, 'clickhouse' | 'environment'>,
  { pipeline }: FoundPipeline,
): Promise<PlannedStep[]> {
  const { name, database } = pipeline;
  if (ingestOf(environment, pipeline) !== 'kafka-engine') return [];
  const brokers = engineBrokers(environment);
  const existing = await clickhouse.tables(database);
  const comments = new Map(existing.map((each) => [each.name, each.comment]));
  const step = (kind: 'table' | 'view', object: string, detail: string): PlannedStep => {
    const about = { system: 'clickhouse' as const, object: `${kind} ${database}.${object}` };
    const comment = comments.get(object);
    if (comment === undefined) return { ...about, action: 'later', detail };
    if (engineGroup(name, comment) !== null) return { ...about, action: 'none', detail: `exists; ${detail}` };
    const remedy = `Rename or drop it, or set ${name.toUpperCase()}_INGEST=activity.`;
    return { ...about, action: 'blocked', detail: `exists, and is not what ClickHouse is to read Kafka by. ${remedy}` };
  };
  return streamTables(pipeline).flatMap((table) => [
    step(
      'table',
      kafkaTableName(table),
      `made by the stream: ClickHouse reads ${topicOf(pipeline, table)} from ${brokers}`,
    ),
    step('view', kafkaViewName(table), 'made by the stream: ClickHouse reads as long as it exists'),
  ]);
}
