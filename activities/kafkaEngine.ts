import { randomBytes } from 'node:crypto';
import { ClickHouseError } from '@clickhouse/client';
import type { Kafka } from 'kafkajs';
import type { ClickHouse } from '../adapters/clickhouse.ts';
import type { Environment } from '../adapters/environment.ts';
import { committedOffsets, deleteEmptyGroups, moveGroup, type Offsets, openKafka } from '../adapters/kafka.ts';
import { classify, withoutExpression } from '../core/clickhouseErrors.ts';
import { INGESTS, type Ingest, type Pipeline, type PipelineTable, streamTables } from '../core/definition.ts';
import { messageOf, TidegateError } from '../core/errors.ts';
import { chTable } from '../core/identifiers.ts';
import { engineGroup, kafkaEngineDdl } from '../core/kafkaEngine.ts';
import { kafkaTableName, landingName, topicOf } from '../core/names.ts';
import { partitionOf } from '../core/partitions.ts';
import type { ActivityDeps } from './deps.ts';
import { startingOffsets } from './runStreamReader.ts';

/**
 * Who is to take a pipeline's changes in: what the setting `<PIPELINE>_INGEST` says, else the definition.
 * @throws TidegateError INVALID_SETTING.
 */
export function ingestOf(environment: Environment, { name, stream }: Pipeline): Ingest {
  const setting = `${name.toUpperCase()}_INGEST`;
  const value = environment.optional(setting) ?? stream.ingest;
  const ingest = INGESTS.find((each) => each === value);
  if (ingest) return ingest;
  throw new TidegateError('INVALID_SETTING', `${setting} is '${value}'`, { remedy: `Set ${INGESTS.join(' or ')}.` });
}

/** The brokers as ClickHouse reaches them, which may be by another address than the workers. */
export function engineBrokers(environment: Environment): string {
  return environment.optional('CLICKHOUSE_KAFKA_BROKERS') ?? environment.required('KAFKA_BROKERS');
}

/** Those of a pipeline's objects by which ClickHouse reads Kafka now, the views first, and the group that they read as. */
export async function findEngine(
  clickhouse: ClickHouse,
  { name: pipeline, database }: Pipeline,
): Promise<{ group: string; names: string[] } | null> {
  const tables = await clickhouse.tables(database);
  const ours = ['MaterializedView', 'Kafka'].flatMap((kind) =>
    tables.flatMap(({ name, engine, comment }) => {
      const group = engine === kind ? engineGroup(pipeline, comment) : null;
      return group === null ? [] : [{ name, group }];
    }),
  );
  const last = ours.at(-1);
  return last ? { group: last.group, names: ours.map(({ name }) => name) } : null;
}

/**
 * Up to where changes and events have landed, whoever takes them in: while ClickHouse does, what its own group has
 * committed, which began where the pipeline's group was and is given back to it at the end.
 */
export async function landedOffsets(
  { kafka, clickhouse }: { kafka: Kafka; clickhouse: ClickHouse },
  pipeline: Pipeline,
  topics: readonly string[],
): Promise<Offsets> {
  const engine = await findEngine(clickhouse, pipeline);
  const own = await committedOffsets(kafka, { group: pipeline.stream.consumerGroup, topics });
  if (engine === null) return own;
  return new Map([...own, ...(await committedOffsets(kafka, { group: engine.group, topics }))]);
}

/**
 * Lets ClickHouse read the changes of these tables by itself, from where the pipeline's group has got to. A group of its
 * own each time: ClickHouse does not leave one, and a member that is gone would hold the partitions until it is forgotten.
 * @returns the group, and where it begins.
 * @throws TidegateError OFFSET_LOST when Kafka no longer has what comes next.
 */
export async function startEngine(
  deps: ActivityDeps,
  { pipeline, tables }: { pipeline: Pipeline; tables: readonly PipelineTable[] },
): Promise<{ group: string; offsets: Offsets }> {
  const { clickhouse, environment } = deps;
  const { database } = pipeline;
  const kafka = openKafka(environment);
  const { consumerGroup } = pipeline.stream;
  const base = `${consumerGroup}-kafka-engine-`;
  await deleteEmptyGroups(kafka, base);
  const group = `${base}${randomBytes(4).toString('hex')}`;
  const topics = tables.map((table) => topicOf(pipeline, table));
  const offsets = await startingOffsets(kafka, { group: consumerGroup, topics, lateTopics: [] });
  if (offsets.size > 0) await moveGroup(kafka, { group, offsets: positions(offsets) });
  for (const table of tables) {
    const landing = await clickhouse.columns({ database, name: landingName(table.target) });
    const columns = landing.filter(({ name }) => !name.startsWith('_'));
    const about = { pipeline, table, columns, group, brokers: engineBrokers(environment) };
    for (const sql of kafkaEngineDdl({ ...about, topic: topicOf(pipeline, table) })) {
      await clickhouse.command(sql).catch((error) => {
        throw refusalOf(error);
      });
    }
  }
  return { group, offsets };
}

/** What a user lacks most likely, who may do all else that a stream needs. */
function refusalOf(error: unknown): unknown {
  if (!(error instanceof ClickHouseError) || classify(error.code, error.message) !== 'access') return error;
  return new TidegateError('ACCESS_DENIED', `ClickHouse refused to read Kafka by itself: ${messageOf(error)}`, {
    remedy: 'Grant the user KAFKA ON *.* and TABLE ENGINE ON Kafka, see deploy/clickhouse/roles.sql.',
    cause: error,
  });
}

/**
 * Ends what startEngine began, if anything did, and gives the pipeline's group the offsets that have landed. Until then
 * nobody else may read these topics, nor alter what they land in. Done again, it changes nothing.
 */
export async function stopEngine(
  { clickhouse, environment }: Pick<ActivityDeps, 'clickhouse' | 'environment'>,
  pipeline: Pipeline,
): Promise<void> {
  const engine = await findEngine(clickhouse, pipeline);
  if (engine === null) return;
  for (const name of engine.names) {
    await clickhouse.command(`DROP TABLE IF EXISTS ${chTable({ database: pipeline.database, name })} SYNC`);
  }
  const kafka = openKafka(environment);
  const { consumerGroup } = pipeline.stream;
  const topics = streamTables(pipeline).map((table) => topicOf(pipeline, table));
  const own = await committedOffsets(kafka, { group: consumerGroup, topics });
  const landed = await committedOffsets(kafka, { group: engine.group, topics });
  const further = new Map([...landed].filter(([partition, next]) => next > (own.get(partition) ?? -1n)));
  if (further.size > 0) await moveGroup(kafka, { group: consumerGroup, offsets: positions(further) });
}

/** What ClickHouse has failed of in the last seconds, by topic, briefly. */
export async function engineFailures(
  clickhouse: ClickHouse,
  { pipeline, tables }: { pipeline: Pipeline; tables: readonly PipelineTable[] },
): Promise<Map<string, string>> {
  const rows = await clickhouse.rows<{ table: string; failure: string }>(
    `SELECT \`table\`, arrayElement(exceptions.text, -1) AS failure FROM system.kafka_consumers
     WHERE database = {database:String} AND arrayMax(exceptions.time) >= now() - 3`,
    { params: { database: pipeline.database } },
  );
  const failures = new Map(rows.map(({ table, failure }) => [table, failure]));
  return new Map(
    tables.flatMap((table): [string, string][] => {
      const failure = failures.get(kafkaTableName(table));
      return failure === undefined ? [] : [[topicOf(pipeline, table), briefly(failure)]];
    }),
  );
}

/** ClickHouse appends also where in its code it was. */
function briefly(failure: string): string {
  return withoutExpression(failure)
    .split(/, Stack trace|\n0\. /, 1)[0]!
    .replace(/\s*\n\s*/g, ' ')
    .trim();
}

function positions(offsets: Offsets): { topic: string; partition: number; offset: string }[] {
  return [...offsets].map(([key, offset]) => ({ ...partitionOf(key), offset: String(offset) }));
}
