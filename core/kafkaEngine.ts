import { FLUSH_LIMITS } from './batching.ts';
import { LANDING_SETTINGS } from './ddl.ts';
import type { PipelineTable } from './definition.ts';
import { chIdentifier, chLiteral, chTable } from './identifiers.ts';
import { kafkaTableName, kafkaViewName, landingName } from './names.ts';
import { partitionOf } from './partitions.ts';

/**
 * The two objects by which ClickHouse takes a stream table's messages in by itself: a table of its Kafka engine, and the
 * view that carries its rows into the landing table, so that all behind that is one way. Their comment says whose they are
 * and as which consumer group they read.
 */
export function kafkaEngineDdl(options: {
  pipeline: { name: string; database: string };
  table: Pick<PipelineTable, 'name' | 'target'>;
  /** The columns of the landing table that a message fills. */
  columns: readonly { name: string; type: string }[];
  brokers: string;
  topic: string;
  group: string;
}): string[] {
  const { pipeline, table, columns, brokers, topic, group } = options;
  const quoted = (name: string) => chTable({ database: pipeline.database, name });
  const names = columns.map(({ name }) => chIdentifier(name)).join(', ');
  const settings = {
    ...{ kafka_broker_list: brokers, kafka_topic_list: topic, kafka_group_name: group, kafka_format: 'JSONEachRow' },
    // A block that is refused is not committed, and read again: whoever watches decides what becomes of it.
    ...{ kafka_handle_error_mode: 'default', kafka_skip_broken_messages: 0, kafka_commit_every_batch: 0 },
    ...{ kafka_flush_interval_ms: FLUSH_LIMITS.intervalMs, kafka_poll_timeout_ms: 10 },
    ...{ kafka_max_block_size: FLUSH_LIMITS.rows, kafka_poll_max_batch_size: FLUSH_LIMITS.rows },
    ...formatSettings(),
  };
  const assignments = Object.entries(settings).map(
    ([name, value]) => `${name} = ${typeof value === 'number' ? value : chLiteral(value)}`,
  );
  const comment = `COMMENT ${chLiteral(engineComment(pipeline.name, group))}`;
  // What is beside the message's first value is no message of its own. Nothing else here may tell two values apart.
  const single =
    "throwIf(count() OVER (PARTITION BY _partition, _offset) > 1, 'Tidegate refuses several values in one message')";
  return [
    `CREATE TABLE ${quoted(kafkaTableName(table))} (${columns.map(({ name, type }) => `${chIdentifier(name)} ${type}`).join(', ')}) ` +
      `ENGINE = Kafka SETTINGS ${assignments.join(', ')} ${comment}`,
    `CREATE MATERIALIZED VIEW ${quoted(kafkaViewName(table))} TO ${quoted(landingName(table.target))} AS ` +
      `SELECT ${names}, toInt32(_partition) AS _partition, toInt64(_offset) AS _offset, toUInt8(${single}) AS _reread ` +
      `FROM ${quoted(kafkaTableName(table))} ${comment}`,
  ];
}

/** Of an insert's settings, those of the format, which alone a Kafka table can be given. */
function formatSettings(): Record<string, number> {
  const isFormats = (name: string) => /^((in|out)put_format_|precise_float_parsing$)/.test(name);
  return Object.fromEntries(Object.entries(LANDING_SETTINGS).filter(([name]) => isFormats(name)));
}

/** The comment of both objects. */
export function engineComment(pipeline: string, group: string): string {
  return `tidegate kafka-engine of ${pipeline}: ${group}`;
}

/** The consumer group that an object's comment names, or null when it is not one of this pipeline's. */
export function engineGroup(pipeline: string, comment: string): string | null {
  const begin = engineComment(pipeline, '');
  return comment.startsWith(begin) ? comment.slice(begin.length) : null;
}

/** What is seen of one partition at a time. */
export interface PartitionView {
  committed: bigint;
  end: bigint;
}

/** A look at what ClickHouse takes in. */
export interface EngineLook {
  atMs: number;
  partitions: ReadonlyMap<string, PartitionView>;
  /** What ClickHouse has lately failed of, by topic. */
  failures: ReadonlyMap<string, string>;
}

/** So long a block may be refused before it is not left to ClickHouse, which tries it again every half a second. */
const REFUSED_MS = 2000;
/** So long messages may wait without anything being said. A server that was killed is a member of its group for longer. */
const SILENT_MS = 15_000;

/** Judges, look by look, whether what waits in Kafka is being taken in. */
export class EngineJudge {
  readonly #since = new Map<string, { committed: bigint; atMs: number }>();

  /** @returns what waits and why, by topic; and how long the oldest message of each topic has waited as far as is known. */
  judge({ atMs, partitions, failures }: EngineLook): { stuck: Map<string, string>; waitingMs: Map<string, number> } {
    const stuck = new Map<string, string>();
    const waitingMs = new Map<string, number>();
    for (const [partition, { committed, end }] of partitions) {
      const { topic } = partitionOf(partition);
      const before = this.#since.get(partition);
      const stands = committed < end && before?.committed === committed;
      const since = stands ? before.atMs : atMs;
      this.#since.set(partition, { committed, atMs: since });
      const waited = atMs - since;
      waitingMs.set(topic, Math.max(waited, waitingMs.get(topic) ?? 0));
      if (committed >= end) continue;
      const failure = failures.get(topic);
      if (failure !== undefined && waited >= REFUSED_MS) stuck.set(topic, failure);
      else if (waited >= SILENT_MS) stuck.set(topic, `nothing was taken in for ${Math.round(waited / 1000)} s`);
    }
    return { stuck, waitingMs };
  }

  /** Nothing is known of the time before: ClickHouse did not answer. */
  forget(): void {
    this.#since.clear();
  }
}
