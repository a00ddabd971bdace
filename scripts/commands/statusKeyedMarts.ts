import { lastMerge } from '../../activities/mergeRecord.ts';
import { nextRuns } from '../../adapters/temporalSchedules.ts';
import type { Pipeline } from '../../core/definition.ts';
import { messageOf } from '../../core/errors.ts';
import { MERGES_TABLE, scheduleIds } from '../../core/names.ts';
import { formatCount, formatDuration } from '../output.ts';
import { nextText } from './status.ts';
import type { StatusSources, TableReport } from './statusReport.ts';

/** What `tidegate status` says of a mart that is merged by keys. */
export interface KeyedMartReport {
  mart: string;
  /** The last merge; null before the first, or when ClickHouse does not know. */
  merged: { at: string; keys: number; rows: number; rebuilt: boolean; seconds: number; agoMs: number } | null;
  /** Why that is not known; null when it is. */
  unknown: string | null;
  /** Null when it follows the merges of another mart. */
  next: TableReport['next'];
}

/** Asks ClickHouse for the last merges of the marts by keys. */
export async function readKeyedMarts(
  { clickhouse, temporal }: StatusSources,
  pipelines: readonly Pipeline[],
): Promise<KeyedMartReport[][]> {
  if (pipelines.every(({ keyedMarts }) => keyedMarts.length === 0)) return pipelines.map(() => []);
  const next = await nextRuns(temporal.client);
  const read = async (pipeline: Pipeline): Promise<KeyedMartReport[]> => {
    const { database, keyedMarts, name } = pipeline;
    const known = clickhouse.hasTable({ database, name: MERGES_TABLE });
    return await Promise.all(
      keyedMarts.map(async (mart) => {
        const about = { mart: mart.name, next: next.get(scheduleIds.merge(name, mart.name)) ?? null };
        try {
          const last = (await known) ? await lastMerge(clickhouse, pipeline, mart) : null;
          return { ...about, merged: last && shown(last), unknown: null };
        } catch (error) {
          return { ...about, merged: null, unknown: messageOf(error) };
        }
      }),
    );
  };
  return await Promise.all(pipelines.map(read));
}

function shown(last: NonNullable<Awaited<ReturnType<typeof lastMerge>>>): KeyedMartReport['merged'] {
  const { keys, rows, rebuilt, seconds, notedAt } = last;
  const at = `${notedAt.replace(' ', 'T')}Z`;
  return { at, keys, rows, rebuilt, seconds, agoMs: Math.max(0, Date.now() - Date.parse(at)) };
}

/** One line a mart, for people. */
export function keyedMartLine({ mart, merged, unknown, next }: KeyedMartReport): string {
  const parts = [
    ...(unknown === null ? [] : [`unknown: ${unknown}`]),
    ...(merged === null
      ? unknown === null
        ? ['not merged yet']
        : []
      : [
          `merged ${formatDuration(merged.agoMs)} ago: ${merged.rebuilt ? 'all ' : ''}${formatCount(merged.keys)} keys, ` +
            `${formatCount(merged.rows)} rows in ${formatDuration(merged.seconds * 1000)}`,
        ]),
    ...(next === null ? [] : [`next merge: ${nextText(next)}`]),
  ];
  return `mart ${mart}: ${parts.join('; ')}`;
}
