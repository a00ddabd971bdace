import type { PartitionUnit } from './days.ts';
import type { Pipeline } from './definition.ts';
import type { PipelineMart } from './definitionMarts.ts';
import { chIdentifier, chLiteral, chTable } from './identifiers.ts';
import { martInputs } from './martInputs.ts';
import { DEAD_LETTERS_TABLE, PERIODS_TABLE } from './names.ts';

/** A SELECT and the values of its parameters, besides `from` and `to` (Date), the day after the last. */
export interface BoundSql {
  sql: string;
  params: Record<string, string>;
}

/** One row of daysSql, as JSON. */
export interface MartDay {
  day: string;
  /** 1 when a merge of it is noted whose input had passed its end and lateness. */
  merged: number;
  /** 1 when rows of it have landed that its last merge may not have seen. */
  dirty: number;
  merged_at: string;
  watermark: string;
  rows: string;
  /** Fingerprint of the dead letters of it that have landed by a replay. */
  replayed: string;
}

/** The first day that ClickHouse's Date has. */
export const FIRST_DAY = '1970-01-01';

const PARTITION_FUNCTIONS: Record<PartitionUnit, string> = { day: 'toYYYYMMDD', month: 'toYYYYMM' };

/** The statement that creates the table of merged periods; it says IF NOT EXISTS. The last note of a day counts. */
export function periodsDdl(database: string): string {
  return `CREATE TABLE IF NOT EXISTS ${chTable({ database, name: PERIODS_TABLE })} (
    mart String, day Date, offsets Map(String, UInt64), replayed UInt64, watermark DateTime64(3, 'UTC'), lsn String,
    rows UInt64, definition String, merged_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
  ) ENGINE = ReplacingMergeTree(merged_at) ORDER BY (mart, day)
  COMMENT 'Which days of the marts are merged, and from which offsets of each input (topic:partition)'`;
}

/** The statement that creates a mart. @param columns as the mart's SELECT gives them. */
export function martDdl(
  { database, mart }: { database: string; mart: PipelineMart },
  columns: readonly { name: string; type: string }[],
): string {
  const definitions = columns.map(({ name, type }) => `${chIdentifier(name)} ${type}`).join(', ');
  const nullable = columns.some(({ name, type }) => mart.key.includes(name) && type.includes('Nullable('));
  return (
    `CREATE TABLE IF NOT EXISTS ${chTable({ database, name: mart.name })} (${definitions}) ENGINE = MergeTree ` +
    `PARTITION BY ${PARTITION_FUNCTIONS[mart.partitionBy]}(${chIdentifier(mart.period)}) ` +
    `ORDER BY (${mart.key.map(chIdentifier).join(', ')})${nullable ? ' SETTINGS allow_nullable_key = 1' : ''}`
  );
}

/**
 * The days of a period that have events or are merged, in order, as MartDay. Whether a day is dirty is derived here and now:
 * it has rows at or beyond the offsets that were committed before its last merge read them, or dead letters of it have been
 * replayed since, which land below those offsets. There is no JOIN, so that no setting of a reader's session matters.
 */
export function daysSql(pipeline: Pipeline, mart: PipelineMart): BoundSql {
  const { database } = pipeline;
  const late = martInputs(pipeline, mart).find(({ target }) => target === mart.late.input)!;
  const time = chIdentifier(mart.late.time);
  const midnight = (day: string) => `toDateTime64(${day}, 3, 'UTC')`;
  const coordinates = '(toInt32(_partition), toInt64(_offset))';
  const letters = `SELECT partition, offset FROM ${chTable({ database, name: DEAD_LETTERS_TABLE })} WHERE topic = {topic:String}`;
  const arrived = `SELECT tidegate_day, mapFromArrays(groupArray(tidegate_at), groupArray(tidegate_next)) AS nexts,
      sum(tidegate_letters) AS letters
    FROM (SELECT toDate(${time}, 'UTC') AS tidegate_day, concat({topic:String}, ':', toString(_partition)) AS tidegate_at,
        toUInt64(max(_offset) + 1) AS tidegate_next,
        arraySum(arrayMap(each -> cityHash64(each), groupUniqArrayIf(${coordinates}, ${coordinates} IN (${letters})))) AS tidegate_letters
      FROM ${chTable({ database, name: late.target })}
      WHERE ${time} >= ${midnight('{from:Date}')} AND ${time} < ${midnight('{to:Date}')}
      GROUP BY tidegate_day, tidegate_at)
    GROUP BY tidegate_day`;
  const none = "CAST(map(), 'Map(String, UInt64)')";
  const sides = `SELECT day, true AS noted, offsets, replayed, watermark, merged_at, rows, ${none} AS nexts, toUInt64(0) AS letters
    FROM ${chTable({ database, name: PERIODS_TABLE })} FINAL
    WHERE mart = {mart:String} AND day >= {from:Date} AND day < {to:Date}
    UNION ALL SELECT tidegate_day, false, ${none}, toUInt64(0), ${midnight("toDate('1970-01-01')")},
      toDateTime64(0, 6, 'UTC'), toUInt64(0), nexts, letters FROM (${arrived})`;
  const perDay = `SELECT day AS d, max(noted) AS is_noted, anyIf(offsets, noted) AS seen, sum(replayed) AS letters_seen,
      sum(letters) AS letters_now, anyIf(nexts, NOT noted) AS now, max(watermark) AS w, max(merged_at) AS m, sum(rows) AS r
    FROM (${sides}) GROUP BY day`;
  const sql = `SELECT d AS day, is_noted AND w >= ${midnight('d + 1')} + INTERVAL ${mart.latenessSeconds} SECOND AS merged,
      letters_now != letters_seen OR arrayExists((at, next) -> next > seen[at], mapKeys(now), mapValues(now)) AS dirty,
      m AS merged_at, w AS watermark, r AS rows, letters_now AS replayed
    FROM (${perDay}) ORDER BY day`;
  return { sql, params: { mart: mart.name, topic: late.topic } };
}

/**
 * Whether a period is processed: one row with `processed`, 1 or 0. It is when each of its days has been merged after its
 * input had passed the day's end and lateness, and nothing of the day has landed since. A read-only user may ask; it needs
 * the mart's event target, the table of periods, and the columns topic, partition and offset of the dead letters.
 */
export function isDataProcessedForPeriod(pipeline: Pipeline, mart: PipelineMart): BoundSql {
  const { sql, params } = daysSql(pipeline, mart);
  const whole = "toUInt64(greatest(dateDiff('day', {from:Date}, {to:Date}), 0))";
  return {
    sql: `SELECT {to:Date} > {from:Date} AND countIf(merged AND NOT dirty) = ${whole} AS processed FROM (${sql})`,
    params,
  };
}

/** The days up to the last one given that are to be merged: dirty, not merged, or without a note since the newest one. */
export function outstandingDays(
  days: readonly MartDay[],
  { upTo, between }: { upTo: string; between: (range: { from: string; to: string }) => string[] },
): string[] {
  const unmerged = days.filter(({ merged, dirty }) => !merged || dirty).map(({ day }) => day);
  const newest = days.findLast(({ merged }) => merged)?.day;
  const known = new Set(days.map(({ day }) => day));
  const gaps = newest === undefined ? [] : between({ from: newest, to: upTo }).filter((day) => !known.has(day));
  return [...unmerged, ...gaps].sort();
}

/** Writes chLiteral days for an IN list. */
export function dayList(days: readonly string[]): string {
  return days.map((day) => `toDate(${chLiteral(day)})`).join(', ');
}
