import { dayAfter, daysBetween, partitionOf, startOf } from '../core/days.ts';
import type { PipelineMart } from '../core/definitionMarts.ts';
import { findMart } from '../core/martInputs.ts';
import { daysSql, type MartDay, outstandingDays } from '../core/marts.ts';
import type { MergeActivities, MergePart, MergePlan } from '../core/mergeTypes.ts';
import type { ActivityDeps } from './deps.ts';

/** The first day that ClickHouse's Date has. */
const FIRST_DAY = '1970-01-01';

/** The activity that says which days a merge is about. */
export function planMerge(deps: ActivityDeps): Pick<MergeActivities, 'planMerge'> {
  return {
    async planMerge(name, martName, { days, outstandingUpTo }): Promise<MergePlan> {
      const { pipeline, hash } = deps.definitions.get(name);
      const mart = findMart(pipeline, martName);
      const wanted = new Set(days ? daysBetween(days) : []);
      if (outstandingUpTo !== undefined) {
        const { sql, params } = daysSql(pipeline, mart);
        const range = { from: FIRST_DAY, to: dayAfter(outstandingUpTo) };
        const found = await deps.clickhouse.rows<MartDay>(sql, { params: { ...params, ...range } });
        for (const day of outstandingDays(found, { upTo: outstandingUpTo, between: daysBetween })) wanted.add(day);
      }
      return { definitionHash: hash, parts: partsOf(mart, [...wanted].sort(), Date.now()) };
    },
  };
}

/** Days in order by partition. Those that may be merged now do not wait for those of the same partition that may not. */
export function partsOf(mart: PipelineMart, days: readonly string[], now: number): MergePart[] {
  const parts = new Map<string, MergePart>();
  for (const day of days) {
    const partition = partitionOf(day, mart.partitionBy);
    const readyAt = startOf(dayAfter(day)) + mart.latenessSeconds * 1000;
    const key = readyAt <= now ? partition : `${partition} ${day}`;
    const part = parts.get(key) ?? { partition, days: [], readyAt: '' };
    part.days.push(day);
    part.readyAt = new Date(readyAt).toISOString();
    parts.set(key, part);
  }
  return [...parts.values()];
}
