import { historyTables, type Pipeline, streamTables } from './definition.ts';
import { hashProperty } from './hashedColumns.ts';
import { debeziumName } from './names.ts';

/** How Debezium reaches the source: the capture role, with the password by reference only. */
export interface ConnectorSource {
  host: string;
  port: number;
  database: string;
  user: string;
  /** What Kafka Connect replaces by the password, like `${file:/secrets/wms.properties:password}`. */
  passwordReference: string;
  /** What is hashed with the values of hashed columns; needed where there are any. */
  salt?: string;
  /** As in a PostgreSQL URL: disable, require, verify-full ...; Debezium's default (prefer) when absent. */
  sslMode?: string;
}

/**
 * What Debezium writes in place of a large value that an update did not touch, where it cannot read it back: the landing
 * view refuses a row that holds it, and core/reread.ts takes it up. A value of the source that is the same goes that way too.
 */
export const UNAVAILABLE_VALUE = '__tidegate_unavailable_5f0c3a9e7d41b286__';
/** The same in an array of integers: one for each byte. */
export const UNAVAILABLE_BYTES: readonly number[] = [...new TextEncoder().encode(UNAVAILABLE_VALUE)];
/** The same in an array of UUIDs: the name-based UUID. */
export const UNAVAILABLE_UUID = '7bfa299c-c26d-3c9b-9e7c-1b0dbdca2350';

/** Prefix of the logical messages that keep an idle slot moving; excluded, or Debezium would make a topic of them. */
const HEARTBEAT_PREFIX = 'tidegate';

/**
 * Debezium's configuration of a pipeline's connector, for Kafka Connect. Values are converted as little as possible: text
 * stays text, so that ClickHouse parses it. Publication and slot must exist: Debezium neither makes nor drops them, and
 * takes no snapshot.
 */
export function connectorConfig(pipeline: Pipeline, source: ConnectorSource): Record<string, string> {
  const { topicPrefix, slot, publication, partitions, replicationFactor } = pipeline.stream;
  const patternsOf = (which: 'excluded' | 'hashed') =>
    streamTables(pipeline).flatMap(({ schema, name, [which]: columns }) =>
      columns.map((column) => namePattern([schema, name, column])),
    );
  const [excluded, hashed] = [patternsOf('excluded'), patternsOf('hashed')];
  // What is read again later would be a newer value than the change had.
  const neverReselected = historyTables(pipeline).map(({ schema, name }) => `${namePattern([schema, name])}:.*`);
  return {
    'connector.class': 'io.debezium.connector.postgresql.PostgresConnector',
    'tasks.max': '1',
    'database.hostname': source.host,
    'database.port': String(source.port),
    'database.user': source.user,
    'database.password': source.passwordReference,
    'database.dbname': source.database,
    ...(source.sslMode && { 'database.sslmode': source.sslMode }),
    'topic.prefix': topicPrefix,
    'table.include.list': streamTables(pipeline)
      .map(({ schema, name }) => namePattern([schema, name]))
      .join(','),
    ...(hashed.length > 0 && { [hashProperty(source.salt!)]: hashed.join(',') }),
    ...(excluded.length > 0 && { 'column.exclude.list': excluded.join(',') }),

    'plugin.name': 'pgoutput',
    'slot.name': slot,
    'slot.drop.on.stop': 'false',
    'publication.name': publication,
    'publication.autocreate.mode': 'disabled',
    'snapshot.mode': 'no_data',
    'message.prefix.exclude.list': HEARTBEAT_PREFIX,
    'heartbeat.interval.ms': '2000',
    'heartbeat.action.query': `SELECT pg_logical_emit_message(true,'${HEARTBEAT_PREFIX}','')`,

    'decimal.handling.mode': 'string',
    'time.precision.mode': 'isostring',
    'interval.handling.mode': 'string',
    'hstore.handling.mode': 'json',
    'binary.handling.mode': 'hex',
    'include.unknown.datatypes': 'true',
    'unavailable.value.placeholder': UNAVAILABLE_VALUE,
    'post.processors': 'reselect',
    'post.processors.reselect.type': 'io.debezium.processors.reselect.ReselectColumnsPostProcessor',
    'post.processors.reselect.reselect.unavailable.values': 'true',
    'post.processors.reselect.reselect.null.values': 'false',
    ...(neverReselected.length > 0 && {
      'post.processors.reselect.reselect.columns.exclude.list': neverReselected.join(','),
    }),
    'tombstones.on.delete': 'false',
    'skipped.operations': 'none',
    'key.converter': 'org.apache.kafka.connect.json.JsonConverter',
    'key.converter.schemas.enable': 'false',
    'value.converter': 'org.apache.kafka.connect.json.JsonConverter',
    'value.converter.schemas.enable': 'false',
    // By default the converter writes a column's default in place of a NULL.
    'value.converter.replace.null.with.default': 'false',

    'poll.interval.ms': '10',
    'max.batch.size': '8192',
    'max.queue.size': '32768',
    'status.update.interval.ms': '1000',
    'producer.override.linger.ms': '0',
    // How long a partition that is added to a topic may go unused.
    'producer.override.metadata.max.age.ms': '10000',
    'topic.creation.default.partitions': String(partitions),
    'topic.creation.default.replication.factor': String(replicationFactor),

    // A source that restarts is taken up again soon; a task that cannot recover fails, so that the failure is seen.
    'errors.max.retries': '5',
    'retriable.restart.connector.wait.ms': '1000',
    'slot.max.retries': '60',
    'slot.retry.delay.ms': '1000',
  };
}

/**
 * Debezium takes a list of regular expressions, separated by commas, that must match `schema.table` or
 * `schema.table.column` whole, as Debezium reads it; what matches none is left out silently. It strips blanks around each, so blanks are written by their code.
 */
function namePattern(parts: readonly string[]): string {
  const codeOf = (blank: string) => `\\x{${blank.charCodeAt(0).toString(16)}}`;
  return parts
    .map((part) =>
      debeziumName(part)
        .replaceAll(/[\\^$.*+?()[\]{}|,]/g, '\\$&')
        .replaceAll(/\s/g, codeOf),
    )
    .join('\\.');
}
