import type { Pipeline } from './definition.ts';
import type { KeyedInput, KeyedMart } from './definitionKeyedMarts.ts';
import { chIdentifier, chLiteral, chTable } from './identifiers.ts';
import type { Lane } from './lanes.ts';
import { DEAD_LETTERS_TABLE, keyedRowsName, MERGES_TABLE } from './names.ts';
import { DELETED_COLUMN, NO_MESSAGE, OFFSET_COLUMN, PARTITION_COLUMN, VERSION_COLUMN } from './typeMapping.ts';

/**
 * The SQL of marts that are merged by changed keys.
 *
 * Merge number n writes live rows with version 2n + 1, and for every row that there was of its keys a tombstone with version
 * 2n, in one statement: a row that is there no more, or stands at another place of the order, is gone by that.
 */
export const liveVersion = (number: bigint) => 2n * number + 1n;
const goneVersion = (number: bigint) => 2n * number;

/** What a statement of an attempt fails with when another has begun. */
export const OVERTAKEN = 'Tidegate refuses to merge: another attempt has begun';

interface Column {
  name: string;
  type: string;
}

/** The statement that creates the table of merges: of each mart, the last one that has begun, and the last one done. */
export function mergesDdl(database: string): string {
  return `CREATE TABLE IF NOT EXISTS ${chTable({ database, name: MERGES_TABLE })} (
    mart String, state LowCardinality(String), number UInt64, token String, generation String,
    offsets Map(String, UInt64), keys UInt64, rows UInt64, rebuilt Bool, seconds Float64,
    noted_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
  ) ENGINE = ReplacingMergeTree(noted_at) ORDER BY (mart, state)
  COMMENT 'From which offsets of each input (topic:partition, or mart) the marts by keys were merged last'`;
}

/** The statements that create a mart by keys: its rows, and the view with those that are current. */
export function keyedMartDdl(
  { database, mart }: { database: string; mart: KeyedMart },
  columns: readonly Column[],
): { table: string; view: string } {
  const rows = chTable({ database, name: keyedRowsName(mart.name) });
  const names = columns.map(({ name }) => chIdentifier(name)).join(', ');
  const definitions = columns.map(({ name, type }) => `${chIdentifier(name)} ${type}`);
  const nullable = columns.some(({ name, type }) => mart.orderBy.includes(name) && type.includes('Nullable('));
  return {
    table:
      `CREATE TABLE IF NOT EXISTS ${rows} (${definitions.join(', ')}, ${VERSION_COLUMN} UInt64, ${DELETED_COLUMN} UInt8) ` +
      `ENGINE = ReplacingMergeTree(${VERSION_COLUMN}, ${DELETED_COLUMN}) ` +
      `ORDER BY (${mart.orderBy.map(chIdentifier).join(', ')})${nullable ? ' SETTINGS allow_nullable_key = 1' : ''}`,
    view:
      `CREATE OR REPLACE VIEW ${chTable({ database, name: mart.name })} AS ` +
      `SELECT ${names} FROM ${rows} FINAL WHERE ${DELETED_COLUMN} = 0`,
  };
}

/** The statement that creates a table of keys. @param columns the key's, with their types. */
export function keysDdl(table: string, columns: readonly Column[], engine: 'sorted' | 'plain'): string {
  const definitions = columns.map(({ name, type }) => `${chIdentifier(name)} ${type}`).join(', ');
  const names = columns.map(({ name }) => chIdentifier(name)).join(', ');
  const kind = engine === 'sorted' ? `ReplacingMergeTree ORDER BY (${names})` : 'MergeTree ORDER BY tuple()';
  return `CREATE TABLE ${table} (${definitions}) ENGINE = ${kind} SETTINGS allow_nullable_key = 1`;
}

/** The SELECT of the mart's key, or of what an input says of it, from the input's rows. */
export function keysOfInput(pipeline: Pipeline, mart: KeyedMart, input: KeyedInput): string {
  const { database } = pipeline;
  const expressions = mart.key.map((key) => {
    const { expression } = input.columns.find(({ column }) => column === key)!;
    return `(${expression}) AS ${chIdentifier(key)}`;
  });
  return `SELECT ${expressions.join(', ')} FROM ${chTable({ database, name: tableOf(input) })}`;
}

/** The SELECT of all keys that the mart has rows of. */
export function keysOfMart({ database }: Pipeline, mart: KeyedMart): string {
  const rows = chTable({ database, name: keyedRowsName(mart.name) });
  return `SELECT ${mart.key.map(chIdentifier).join(', ')} FROM ${rows} WHERE ${DELETED_COLUMN} = 0`;
}

/**
 * The SELECT of the keys that rows of an input concern, of those which have arrived since a merge. What the input's row said
 * when a key was merged stands in the mart; where that has changed since, a row has arrived by which the key is found, too.
 */
export function changedKeys(
  pipeline: Pipeline,
  mart: KeyedMart,
  { input, arrived }: { input: KeyedInput; arrived: string },
) {
  if (input.wholeKey) return `${keysOfInput(pipeline, mart, input)} WHERE ${arrived}`;
  const names = input.columns.map(({ column }) => chIdentifier(column)).join(', ');
  const expressions = input.columns.map(({ expression }) => `(${expression})`).join(', ');
  const from = chTable({ database: pipeline.database, name: tableOf(input) });
  return `${keysOfMart(pipeline, mart)} AND (${names}) IN (SELECT ${expressions} FROM ${from} WHERE ${arrived})`;
}

/** The SELECT of how many rows of an input have arrived since. */
export function arrivedRows(
  { database }: Pipeline,
  { input, arrived }: { input: KeyedInput; arrived: string },
): string {
  return `SELECT count() AS rows FROM ${chTable({ database, name: tableOf(input) })} WHERE ${arrived}`;
}

function tableOf({ target, mart }: KeyedInput): string {
  return mart ? keyedRowsName(target) : target;
}

/**
 * The condition by which rows of a stream's target may have arrived after these offsets had been committed. A replayed dead
 * letter lands below them, and a repair has none: their rows always count as new.
 * @param noted committed offsets by partition; a partition without one is new.
 */
export function arrivedSince({ database }: Pipeline, lane: Lane, noted: ReadonlyMap<number, bigint>): string {
  const isEvent = lane.kind === 'events';
  const [partition, offset] = isEvent ? ['_partition', '_offset'] : [PARTITION_COLUMN, OFFSET_COLUMN];
  const list = (values: Iterable<number | bigint>, type: string) =>
    `CAST([${[...values].join(', ')}], 'Array(${type})')`;
  const from =
    noted.size === 0
      ? '0'
      : `transform(${partition}, ${list(noted.keys(), 'Int32')}, ${list(noted.values(), 'Int64')}, toInt64(0))`;
  const letters =
    `SELECT partition, offset FROM ${chTable({ database, name: DEAD_LETTERS_TABLE })} ` +
    `WHERE topic = ${chLiteral(lane.topic)}`;
  return (
    `(${partition} = ${NO_MESSAGE.repaired} OR (${partition} >= 0 AND ${offset} >= ${from}) ` +
    `OR (${partition}, ${offset}) IN (${letters}))`
  );
}

/** The condition by which rows of a mart were written after a merge of it. */
export function mergedSince(number: bigint): string {
  return `${VERSION_COLUMN} > ${liveVersion(number)}`;
}

/**
 * The statement that merges the keys of a table. It writes nothing once another attempt has begun.
 * @param options.chunk quoted name of the table of keys, which the SELECT has in {keys:Identifier}, too.
 */
export function mergeStatement(
  { database }: Pipeline,
  mart: KeyedMart,
  options: { select: string; columns: readonly Column[]; chunk: string; number: bigint; token: string },
): string {
  const { select, chunk, number, token } = options;
  const rows = chTable({ database, name: keyedRowsName(mart.name) });
  const key = `(${mart.key.map(chIdentifier).join(', ')})`;
  const names = options.columns.map(({ name }) => chIdentifier(name)).join(', ');
  const among = `${key} IN (SELECT ${mart.key.map(chIdentifier).join(', ')} FROM ${chunk})`;
  const places = options.columns.map(({ name, type }) =>
    mart.orderBy.includes(name) ? chIdentifier(name) : `defaultValueOfTypeName(${chLiteral(type)})`,
  );
  const last =
    `(SELECT token FROM ${chTable({ database, name: MERGES_TABLE })} FINAL ` +
    `WHERE mart = ${chLiteral(mart.name)} AND state = 'begun')`;
  const fence = `NOT throwIf(${last} != ${chLiteral(token)}, ${chLiteral(OVERTAKEN)})`;
  const outside = `throwIf(NOT (${among}), 'Tidegate refuses a row of another key than asked for')`;
  return (
    `INSERT INTO ${rows} (${names}, ${VERSION_COLUMN}, ${DELETED_COLUMN}) ` +
    `SELECT ${names}, ${liveVersion(number)}, 0 FROM (${select}) WHERE NOT ${outside} AND ${fence} ` +
    `UNION ALL SELECT ${places.join(', ')}, ${goneVersion(number)}, 1 FROM ${rows} FINAL PREWHERE ${among} ` +
    `WHERE ${DELETED_COLUMN} = 0 AND ${fence}`
  );
}
