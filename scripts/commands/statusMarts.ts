import { nextRuns } from '../../adapters/temporalSchedules.ts';
import { dayAfter, dayOf, daysBetween } from '../../core/days.ts';
import type { Pipeline } from '../../core/definition.ts';
import type { PipelineMart } from '../../core/definitionMarts.ts';
import { messageOf } from '../../core/errors.ts';
import { daysSql, FIRST_DAY, type MartDay, outstandingDays } from '../../core/marts.ts';
import { scheduleIds } from '../../core/names.ts';
import { formatCount, formatTime } from '../output.ts';
import { nextText } from './status.ts';
import type { StatusSources, TableReport } from './statusReport.ts';

/** What `tidegate status` says of a mart; days are those of UTC. */
export interface MartReport {
  mart: string;
  /** Days that hold all that has landed for them; null when ClickHouse does not know. */
  processed: { days: number; from: string; to: string; rows: number; mergedAt: string } | null;
  /** Days up to yesterday that have got events since they were merged. */
  dirty: string[];
  /** Days up to yesterday that have not been merged. */
  unmerged: string[];
  /** Why the days are not known; null when they are. */
  unknown: string | null;
  next: TableReport['next'];
}

/** Asks ClickHouse which days of the marts hold what. It reads every event's time, so it is nothing for a live view. */
export async function readMarts(sources: StatusSources, pipelines: readonly Pipeline[]): Promise<MartReport[][]> {
  if (pipelines.every(({ marts }) => marts.length === 0)) return pipelines.map(() => []);
  const next = await nextRuns(sources.temporal.client);
  const read = async (pipeline: Pipeline, mart: PipelineMart): Promise<MartReport> => {
    const about = { mart: mart.name, next: next.get(scheduleIds.merge(pipeline.name, mart.name)) ?? null };
    try {
      return { ...about, ...(await readDays(sources, { pipeline, mart })), unknown: null };
    } catch (error) {
      return { ...about, processed: null, dirty: [], unmerged: [], unknown: messageOf(error) };
    }
  };
  return await Promise.all(
    pipelines.map(async (pipeline) => await Promise.all(pipeline.marts.map((mart) => read(pipeline, mart)))),
  );
}

async function readDays(
  { clickhouse }: StatusSources,
  { pipeline, mart }: { pipeline: Pipeline; mart: PipelineMart },
): Promise<Pick<MartReport, 'processed' | 'dirty' | 'unmerged'>> {
  const created = await clickhouse.hasTable({ database: pipeline.database, name: mart.name });
  if (!created) return { processed: null, dirty: [], unmerged: [] };
  const { sql, params } = daysSql(pipeline, mart);
  const today = dayOf(Date.now());
  const days = await clickhouse.rows<MartDay>(sql, { params: { ...params, from: FIRST_DAY, to: today } });
  const upTo = dayAfter(today, -1);
  const dirty = days.filter((each) => each.merged && each.dirty).map(({ day }) => day);
  const outstanding = outstandingDays(days, { upTo, between: daysBetween });
  const processed = days.filter((each) => each.merged && !each.dirty);
  const [first, last] = [processed[0], processed.at(-1)];
  return {
    processed:
      first && last
        ? {
            ...{ days: processed.length, from: first.day, to: last.day },
            rows: processed.reduce((sum, { rows }) => sum + Number(rows), 0),
            mergedAt: `${processed
              .map(({ merged_at }) => merged_at)
              .sort()
              .at(-1)!
              .replace(' ', 'T')}Z`,
          }
        : null,
    dirty,
    unmerged: outstanding.filter((day) => !dirty.includes(day)),
  };
}

/** How many days are named. */
const NAMED = 5;

/** One line a mart, for people. */
export function martLine({ mart, processed, dirty, unmerged, unknown, next }: MartReport): string {
  const names = (days: string[]) => `${days.slice(0, NAMED).join(', ')}${days.length > NAMED ? ' ...' : ''}`;
  const parts = [
    ...(unknown === null ? [] : [`days unknown: ${unknown}`]),
    ...(processed === null
      ? unknown === null
        ? ['no day merged yet']
        : []
      : [
          `${formatCount(processed.days)} days processed, ${processed.from} to ${processed.to}, ` +
            `${formatCount(processed.rows)} rows, last merge ${formatTime(processed.mergedAt)}`,
        ]),
    ...(dirty.length > 0 ? [`${formatCount(dirty.length)} dirty: ${names(dirty)}`] : []),
    ...(unmerged.length > 0 ? [`${formatCount(unmerged.length)} not merged: ${names(unmerged)}`] : []),
    ...(next === null ? [] : [`next merge: ${nextText(next)}`]),
  ];
  return `mart ${mart}: ${parts.join('; ')}`;
}
