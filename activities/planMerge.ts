import { dayAfter, daysBetween, partitionOf, startOf } from '../core/days.ts';
import type { PipelineMart } from '../core/definitionMarts.ts';
import { findAnyMart, findMart } from '../core/martInputs.ts';
import { daysSql, FIRST_DAY, type MartDay, outstandingDays } from '../core/marts.ts';
import type { MergeActivities, MergePart, MergePlan } from '../core/mergeTypes.ts';
import type { ActivityDeps } from './deps.ts';

/** The activity that says which days a merge is about. */
export function planMerge(deps: ActivityDeps): Pick<MergeActivities, 'planMerge'> {
  return {
    async planMerge(name, martName, { days, outstandingUpTo }): Promise<MergePlan> {
      const { pipeline, hash } = deps.definitions.get(name);
      if (!days && 'byKeys' in findAnyMart(pipeline, martName))
        return { definitionHash: hash, byKeys: true, parts: [] };
      const mart = findMart(pipeline, martName);
      const now = Date.now();
      const wanted = new Set(days ? daysBetween(days) : []);
      if (outstandingUpTo !== undefined) {
        const { sql, params } = daysSql(pipeline, mart);
        const range = { from: FIRST_DAY, to: dayAfter(outstandingUpTo) };
        const found = await deps.clickhouse.rows<MartDay>(sql, { params: { ...params, ...range } });
        const outstanding = outstandingDays(found, { upTo: outstandingUpTo, between: daysBetween });
        for (const day of outstanding) if (readyAt(mart, day) <= now) wanted.add(day);
      }
      return { definitionHash: hash, byKeys: false, parts: partsOf(mart, [...wanted].sort(), now) };
    },
  };
}

/** When a day may be merged: all its input may have landed by then; epoch milliseconds. */
function readyAt({ latenessSeconds }: PipelineMart, day: string): number {
  return startOf(dayAfter(day)) + latenessSeconds * 1000;
}

/** Days in order by partition. Those that may be merged now do not wait for those of the same partition that may not. */
export function partsOf(mart: PipelineMart, days: readonly string[], now: number): MergePart[] {
  const parts = new Map<string, MergePart>();
  for (const day of days) {
    const partition = partitionOf(day, mart.partitionBy);
    const ready = readyAt(mart, day);
    const key = ready <= now ? partition : `${partition} ${day}`;
    const part = parts.get(key) ?? { partition, days: [], readyAt: '' };
    part.days.push(day);
    part.readyAt = new Date(ready).toISOString();
    parts.set(key, part);
  }
  return [...parts.values()];
}
