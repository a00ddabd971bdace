import type { Pipeline, PipelineTable } from './definition.ts';

/** Every derived name in one place: topics, ClickHouse objects, workflow and schedule ids. */

/**
 * Debezium reads the name of a table or a column byte by byte and takes each for a character, so that a byte of 0x80 and above becomes
 * one of U+FF80 to U+FFFF.
 */
export function debeziumName(name: string): string {
  return [...new TextEncoder().encode(name)].map((b) => String.fromCharCode(b < 0x80 ? b : 0xff00 | b)).join('');
}

/** The opposite: the name in the source of what Debezium calls so. */
export function nameInSource(name: string): string {
  return new TextDecoder().decode(Uint8Array.from(name, (character) => character.charCodeAt(0) & 0xff));
}

/** Debezium replaces each character of a topic's parts that is not a letter, digit, dot, dash or underscore. */
export function topicOf(
  pipeline: { stream: Pick<Pipeline['stream'], 'topicPrefix'> },
  table: Pick<PipelineTable, 'schema' | 'name'>,
): string {
  const { schema, name } = table;
  return debeziumName(`${pipeline.stream.topicPrefix}.${schema}.${name}`).replaceAll(/[^A-Za-z0-9._-]/g, '_');
}

/** The Null-engine table that the stream activity inserts into. */
export function landingName(target: string): string {
  return `${target}_landing`;
}

/** The materialized view that converts what lands and writes the target. */
export function landingViewName(target: string): string {
  return `${target}_landing_mv`;
}

/** The table that keeps where a stream table was truncated, and the materialized view that writes it. */
export function truncationsName(target: string): string {
  return `${target}_truncations`;
}
export function truncationsViewName(target: string): string {
  return `${target}_truncations_mv`;
}

/** The table of ClickHouse's Kafka engine, and the view behind it, where a stream table is taken in by them. */
export function kafkaTableName({ name }: Pick<PipelineTable, 'name'>): string {
  return `${name}_kafka`;
}
export function kafkaViewName({ name }: Pick<PipelineTable, 'name'>): string {
  return `${name}_mv`;
}

/** The Null-engine table that a COPY of rows is inserted into, and the view behind it. */
export function copyLandingName(target: string): string {
  return `${target}_copy`;
}
export function copyViewName(target: string): string {
  return `${target}_copy_mv`;
}

/** The table that a reference load fills before it is swapped in. */
export function stagingName(target: string): string {
  return `${target}_staging`;
}

/** The first of `<prefix>_1`, `<prefix>_2` and so on that is not among the names. */
export function freeName(prefix: string, names: readonly string[]): string {
  let number = 1;
  while (names.includes(`${prefix}_${number}`)) number++;
  return `${prefix}_${number}`;
}

/** The table in the pipeline's database that records finished snapshots. */
export const SNAPSHOTS_TABLE = 'tidegate_snapshots';

/** The table in the pipeline's database with the messages that could not be loaded. */
export const DEAD_LETTERS_TABLE = 'dead_letters';

/** The table in the pipeline's database with the history of the source's columns. */
export const SCHEMA_TABLE = 'tidegate_schema';

/** The table in the pipeline's database that notes which days of its marts are merged, and from what. */
export const PERIODS_TABLE = 'tidegate_periods';

/** The table in the pipeline's database that notes from what its marts by keys were merged last. */
export const MERGES_TABLE = 'tidegate_merges';

/** The table with the rows of a mart by keys, versions and removed rows included; the mart's own name is that of the view. */
export function keyedRowsName(mart: string): string {
  return `${mart}_versions`;
}

export const TASK_QUEUES = { stream: 'stream', batch: 'batch' } as const;

export const workflowIds = {
  supervisor: (pipeline: string) => `stream-${pipeline}`,
  snapshot: (pipeline: string) => `snapshot-${pipeline}`,
  resync: (pipeline: string, table: string) => `resync-${pipeline}-${table}`,
  reference: (pipeline: string, table: string) => `reference-${pipeline}-${table}`,
  verify: (pipeline: string) => `verify-${pipeline}`,
  /** @param what a partition, a range of days as `from..to`, the day of a scheduled run, `outstanding`, or `keys`. */
  merge: (pipeline: string, mart: string, what: string) => `merge-${pipeline}-${mart}-${what}`,
  relay: (pipeline: string) => `outbox-${pipeline}`,
} as const;

/** Schedules share their id's first part with the workflow they start, so that a list of them reads well. */
export const scheduleIds = {
  reference: (pipeline: string, table: string) => `reference-${pipeline}-${table}`,
  verify: (pipeline: string) => `verify-${pipeline}`,
  merge: (pipeline: string, mart: string) => `merge-${pipeline}-${mart}`,
} as const;

/** Search attributes, all of type Keyword. */
export const SEARCH_ATTRIBUTES = { pipeline: 'Pipeline', table: 'TableName', stage: 'Stage' } as const;
