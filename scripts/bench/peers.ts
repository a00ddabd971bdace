import { sourceConnectorConfig } from '../../activities/connectorSource.ts';
import { dropSlot } from '../../adapters/replication.ts';
import { chLiteral } from '../../core/identifiers.ts';
import type { Lab } from './lab.ts';

/** Columns of the tables `items_...`, as somebody would write them by hand. */
export const ITEM_COLUMNS =
  "id Int64, name String, category Nullable(String), price Decimal(10, 2), updated_at DateTime64(6, 'UTC')";

/** `postgresql(...)` of ClickHouse, reading a table of the source. */
export function postgresqlTable(lab: Lab, table: string): string {
  const { hostname, port, username, password, pathname } = lab.captureUrl;
  const parts = [`${hostname}:${port}`, pathname.slice(1), table, ...[username, password].map(decodeURIComponent)];
  return `postgresql(${parts.map(chLiteral).join(', ')})`;
}

/** Settings of a Kafka engine table: ClickHouse's own, and the best found by trying. */
export type KafkaEngineTuning = 'default' | 'tuned for throughput' | 'tuned for freshness';

const TUNING: Record<KafkaEngineTuning, string> = {
  default: '',
  'tuned for throughput': ', kafka_max_block_size = 524288, kafka_poll_max_batch_size = 65536',
  'tuned for freshness': ', kafka_flush_interval_ms = 20, kafka_poll_timeout_ms = 10',
};

interface KafkaEngine extends AsyncDisposable {
  /** Name of the table that the rows get into. */
  target: string;
}

/**
 * ClickHouse's own consumer with the usual view, which keeps what ClickHouse makes of the values: no strict conversion,
 * no dead letters. It reads the topic from its beginning.
 */
export async function kafkaEngine(
  lab: Lab,
  options: { topic: string; columns: string; after: string; values: string; tuning: KafkaEngineTuning },
): Promise<KafkaEngine> {
  const { topic, after, values, columns, tuning } = options;
  const name = `peer.${tuning.replaceAll(/\W/g, '_')}_${Date.now()}`;
  const ch = lab.clickhouse;
  const brokers = lab.environment.required('KAFKA_BROKERS');
  await ch.command('CREATE DATABASE IF NOT EXISTS peer');
  await ch.command(`CREATE TABLE ${name}_queue (op String, after Tuple(${after}), source Tuple(lsn Nullable(UInt64)))
    ENGINE = Kafka SETTINGS kafka_broker_list = ${chLiteral(brokers)}, kafka_topic_list = ${chLiteral(topic)},
    kafka_group_name = ${chLiteral(name)}, kafka_format = 'JSONEachRow'${TUNING[tuning]}`);
  await ch.command(`CREATE TABLE ${name} (${columns}, _version UInt128, _deleted UInt8)
    ENGINE = ReplacingMergeTree(_version, _deleted) ORDER BY id`);
  await ch.command(`CREATE MATERIALIZED VIEW ${name}_view TO ${name} AS SELECT ${values},
    bitOr(bitShiftLeft(toUInt128(assumeNotNull(source.lsn)), 64), toUInt128(_offset)) AS _version,
    toUInt8(op = 'd') AS _deleted FROM ${name}_queue`);
  return {
    target: name,
    async [Symbol.asyncDispose]() {
      await ch.command(`DROP VIEW ${name}_view SYNC`);
      await ch.command(`DROP TABLE ${name}_queue SYNC`);
      await ch.command(`DROP TABLE ${name} SYNC`);
    },
  };
}

/** What the usual view makes of Debezium's messages of `items_...`. */
export const ITEM_EVENTS = {
  columns: ITEM_COLUMNS,
  after: 'id Int64, name String, category Nullable(String), price Decimal(10, 2), updated_at String',
  values:
    'after.id AS id, after.name AS name, after.category AS category, after.price AS price, ' +
    "parseDateTime64BestEffort(after.updated_at, 6, 'UTC') AS updated_at",
};

const PEER = 'bench_peer';

/**
 * Debezium's own snapshot of a table into a topic.
 * @param applied name of a pipeline of that table whose publication exists.
 * @returns the topic, and what takes the connector away.
 */
export async function debeziumSnapshot(lab: Lab, applied: string): Promise<AsyncDisposable & { topic: string }> {
  const pipeline = lab.pipeline(applied);
  const config = await sourceConnectorConfig(lab.environment, pipeline);
  await lab.connect.putConfig(PEER, {
    ...config,
    'topic.prefix': PEER,
    'slot.name': PEER,
    'snapshot.mode': 'initial',
    'snapshot.fetch.size': '10240',
  });
  return {
    topic: `${PEER}.public.${pipeline.tables[0]!.name}`,
    async [Symbol.asyncDispose]() {
      await lab.connect.delete(PEER);
      await dropSlot(lab.capture, PEER);
    },
  };
}
