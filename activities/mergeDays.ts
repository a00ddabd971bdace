import { committedOffsets, openKafka } from '../adapters/kafka.ts';
import { attemptName, newToken } from '../core/copyAttempt.ts';
import { dayAfter, partitionRange, rangesOf } from '../core/days.ts';
import type { Pipeline } from '../core/definition.ts';
import type { PipelineMart } from '../core/definitionMarts.ts';
import { chIdentifier, chTable } from '../core/identifiers.ts';
import { findMart, martInputs } from '../core/martInputs.ts';
import { dayList, daysSql, type MartDay } from '../core/marts.ts';
import type { DayToMerge, MergeActivities, MergedPart, MergeProgress } from '../core/mergeTypes.ts';
import { PERIODS_TABLE } from '../core/names.ts';
import { withHeartbeat } from './copyProgress.ts';
import { dropLeftovers, MEANT } from './copyTarget.ts';
import type { ActivityDeps } from './deps.ts';
import { martFailure } from './martRefusals.ts';
import { readSql } from './readSql.ts';

/** Where a test may break the work off. */
export type MergeStep = 'recorded' | 'created' | 'kept' | 'selected' | 'swapped' | 'noted';

/** What one attempt works on. */
interface Attempt {
  pipeline: Pipeline;
  mart: PipelineMart;
  partition: string;
  days: readonly DayToMerge[];
  select: string;
  aside: string;
  definitionHash: string;
  progress: MergeProgress;
  signal: AbortSignal;
}

/**
 * The activity that merges days of one partition. Every attempt begins anew: it drops the tables of earlier attempts first,
 * so that one which was believed dead cannot swap in what it had built, and only then reads the mart.
 *
 * What is noted never claims more than the mart holds: offsets are read before the SELECT, and the note is written after
 * the swap. A merge that dies in between is merged again, which changes nothing.
 */
export function mergeDays(
  deps: ActivityDeps,
  onStep: (step: MergeStep) => Promise<void> = async () => {},
): Pick<MergeActivities, 'mergeDays'> {
  const { clickhouse } = deps;

  async function merge(attempt: Attempt): Promise<number> {
    const { pipeline, mart, partition, aside, progress, signal } = attempt;
    const { database } = pipeline;
    const quoted = (name: string) => chTable({ database, name });
    await dropLeftovers(clickhouse, { database, targets: [`${mart.name}_${partition}`] });
    const seen = await readSeen(attempt);
    await onStep('recorded');
    await clickhouse.command(`CREATE TABLE ${quoted(aside)} AS ${quoted(mart.name)}`);
    await onStep('created');
    const columns = await clickhouse.columns({ database, name: mart.name });
    const names = columns.map(({ name }) => chIdentifier(name)).join(', ');
    const days = attempt.days.map(({ day }) => day);
    const period = chIdentifier(mart.period);
    const within = `${period} >= {from:Date} AND ${period} < {to:Date}`;

    progress.step = 'keeping other days';
    await run(
      attempt,
      `INSERT INTO ${quoted(aside)} (${names}) SELECT ${names} FROM ${quoted(mart.name)} ` +
        `WHERE ${within} AND ${period} NOT IN (${dayList(days)})`,
      partitionRange(partition),
    );
    await onStep('kept');

    progress.step = 'selecting';
    for (const range of rangesOf(days)) {
      const outside = `throwIf(NOT (${within}), 'Tidegate refuses a row of another period than asked for')`;
      await run(
        attempt,
        `INSERT INTO ${quoted(aside)} (${names}) SELECT ${names} FROM (${attempt.select}) WHERE NOT ${outside}`,
        range,
      );
    }
    const counted = await clickhouse.rows<{ day: string; rows: string }>(
      `SELECT ${period} AS day, count() AS rows FROM ${quoted(aside)} GROUP BY day`,
      { signal },
    );
    const rows = new Map(counted.map((each) => [each.day, Number(each.rows)]));
    await onStep('selected');

    progress.step = 'swapping';
    signal.throwIfAborted();
    await clickhouse.command(
      `ALTER TABLE ${quoted(mart.name)} REPLACE PARTITION ID '${partition}' FROM ${quoted(aside)}`,
      {
        // A partition without any row is meant to become empty.
        settings: { ...MEANT, ...(counted.length === 0 && { allow_replace_partition_from_empty_source: 1 }) },
      },
    );
    await onStep('swapped');

    progress.step = 'noting';
    await note(attempt, { ...seen, rows });
    await onStep('noted');
    return days.reduce((sum, day) => sum + (rows.get(day) ?? 0), 0);
  }

  /** What the SELECT will see at least: everything below these offsets has landed, and these replayed dead letters. */
  async function readSeen({ pipeline, mart, days, signal }: Attempt) {
    const topics = martInputs(pipeline, mart).map(({ topic }) => topic);
    const kafka = openKafka(deps.environment);
    const offsets = await committedOffsets(kafka, { group: pipeline.stream.consumerGroup, topics });
    const { sql, params } = daysSql(pipeline, mart);
    const sorted = days.map(({ day }) => day).sort();
    const range = { from: sorted[0]!, to: dayAfter(sorted.at(-1)!) };
    const found = await clickhouse.rows<MartDay>(sql, { params: { ...params, ...range }, signal });
    return { offsets, replayed: new Map(found.map((each) => [each.day, each.replayed])) };
  }

  /** Runs an INSERT SELECT, counting in the heartbeat what it has read and written. */
  async function run(attempt: Attempt, sql: string, params: { from: string; to: string }): Promise<void> {
    const { pipeline, aside, mart, progress, signal } = attempt;
    Object.assign(progress, { read: 0, written: 0 });
    const watch = setInterval(() => void look(attempt).catch(() => undefined), 1000);
    try {
      const settings = { database: pipeline.database, log_comment: aside, insert_deduplicate: 0 };
      await clickhouse.command(sql, { params, settings, signal });
    } catch (cause) {
      throw martFailure(mart, cause);
    } finally {
      clearInterval(watch);
    }
  }

  async function look({ aside, progress }: Attempt): Promise<void> {
    const [running] = await clickhouse.rows<{ read: string; written: string }>(
      "SELECT read_rows AS read, written_rows AS written FROM system.processes WHERE endsWith(Settings['log_comment'], {token:String})",
      { params: { token: aside } },
    );
    if (running) Object.assign(progress, { read: Number(running.read), written: Number(running.written) });
  }

  async function note(
    { pipeline, mart, days, definitionHash, signal }: Attempt,
    seen: { offsets: Map<string, bigint>; replayed: Map<string, string>; rows: Map<string, number> },
  ): Promise<void> {
    const offsets = Object.fromEntries([...seen.offsets].map(([key, offset]) => [key, String(offset)]));
    const lines = days.map(({ day, watermark }) =>
      JSON.stringify({
        ...{ mart: mart.name, day, offsets, replayed: seen.replayed.get(day) ?? '0', lsn: watermark.lsn ?? '' },
        watermark: watermark.at.replace('T', ' ').replace('Z', ''),
        ...{ rows: seen.rows.get(day) ?? 0, definition: definitionHash },
      }),
    );
    await clickhouse.insert({
      into: chTable({ database: pipeline.database, name: PERIODS_TABLE }),
      columns: ['mart', 'day', 'offsets', 'replayed', 'lsn', 'watermark', 'rows', 'definition'],
      format: 'JSONEachRow',
      body: Buffer.from(lines.join('\n')),
      settings: { async_insert: 0, insert_deduplicate: 0 },
      signal,
    });
  }

  return {
    async mergeDays(name, martName, { partition, days }): Promise<MergedPart> {
      const found = deps.definitions.get(name);
      const { pipeline } = found;
      const mart = findMart(pipeline, martName);
      const started = performance.now();
      const progress: MergeProgress = { step: 'preparing', partition, days: days.length, read: 0, written: 0 };
      const select = await readSql(found, mart.file);
      const token = newToken();
      const target = `${mart.name}_${partition}`;
      const rows = await withHeartbeat(
        () => progress,
        async ({ signal }) => {
          const clean = () => dropLeftovers(clickhouse, { database: pipeline.database, targets: [target], token });
          const aside = attemptName(target, token);
          try {
            const merged = await merge({
              ...{ pipeline, mart, partition, days, select, aside, definitionHash: found.hash, progress, signal },
            });
            await clean();
            progress.step = 'done';
            return merged;
          } catch (error) {
            // What failed is the news; what cannot be dropped now is dropped by the next attempt.
            await clean().catch(() => {});
            throw error;
          }
        },
      );
      return { partition, days: days.map(({ day }) => day), rows, seconds: (performance.now() - started) / 1000 };
    },
  };
}
