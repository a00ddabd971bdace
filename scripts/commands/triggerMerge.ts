import type { Command } from 'commander';
import type { Temporal } from '../../adapters/temporal.ts';
import { dayOf, refusedRange } from '../../core/days.ts';
import { TidegateError } from '../../core/errors.ts';
import { findAnyMart } from '../../core/martInputs.ts';
import type { KeysRequest, MartProgress, MergeRequest, MergeResult } from '../../core/mergeTypes.ts';
import { workflowIds } from '../../core/names.ts';
import { type CommandContext, splitLoadName } from '../context.ts';
import { formatCount, formatDuration } from '../output.ts';
import { newsOf, orItsReason, type Say } from './triggerFollow.ts';

interface MergeOptions {
  from?: string;
  to?: string;
  dirty?: true;
  rebuild?: true;
}

export function registerTriggerMerge(trigger: Command, context: CommandContext): void {
  trigger
    .command('merge')
    .argument('<pipeline.mart>')
    .description(
      'merge days of a mart, in UTC: these, or all that need it; or a mart by keys, with what is committed by now',
    )
    .option('--from <day>', 'first day, like 2026-01-31')
    .option('--to <day>', 'last day, included; default: the first')
    .option('--dirty', 'every day up to yesterday that is not merged, or has got late events since')
    .option('--rebuild', 'of a mart by keys: all keys, not only those whose input has changed')
    .action(async (written: string, options: MergeOptions) => {
      const name = splitLoadName(written);
      const [pipeline] = await context.pipelines(name.pipeline);
      const found = findAnyMart(pipeline!, name.table);
      if ('byKeys' in found) {
        const asked = keysRequestOf(options);
        await context.requireWorkers('batch');
        const about = { pipeline: pipeline!.name, mart: found.byKeys.name, asked, say: console.log };
        for (const line of keysLines(await runKeysMerge(await context.temporal(), about))) console.log(line);
        return;
      }
      const mart = found.byDays;
      const request = requestOf(options);
      await context.requireWorkers('batch');
      const about = { pipeline: pipeline!.name, mart: mart.name, request, say: console.log };
      const result = await runMerge(await context.temporal(), about);
      for (const line of mergeLines(`${pipeline!.name}.${mart.name}`, result)) console.log(line);
    });
}

/** @throws TidegateError INVALID_SETTING. */
function keysRequestOf({ from, to, dirty, rebuild }: MergeOptions): KeysRequest {
  if (from === undefined && to === undefined && !dirty) return { rebuild: rebuild === true };
  throw new TidegateError('INVALID_SETTING', 'the mart is merged by keys, so it has no days to name', {
    remedy: 'Leave --from, --to and --dirty out; --rebuild merges all keys.',
  });
}

/** @throws TidegateError INVALID_SETTING. */
function requestOf({ from, to = from, dirty, rebuild }: MergeOptions): Pick<MergeRequest, 'days'> {
  const wrong = (what: string) =>
    new TidegateError('INVALID_SETTING', what, {
      remedy: 'Give --from and --to, or --dirty for all days that need it.',
    });
  if (rebuild) throw wrong('the mart is merged by days, each of which is always built anew');
  if (dirty && to === undefined) return {};
  if (dirty || from === undefined || to === undefined) throw wrong('these options do not say which days to merge');
  const refused = refusedRange({ from, to }, dayOf(Date.now()));
  if (refused !== null) throw wrong(refused);
  return { days: { from, to } };
}

/** Starts or joins a merge and waits for it, telling what it does. @throws an Error with the failure's own line. */
export async function runMerge(
  temporal: Temporal,
  options: { pipeline: string; mart: string; request: Pick<MergeRequest, 'days'>; say: Say },
): Promise<MergeResult> {
  const { pipeline, mart, request, say } = options;
  const { describeWork, followWork } = await import('../../adapters/temporalWork.ts');
  const { client } = temporal;
  const workflowId = await temporal.startMerge(pipeline, mart, request);
  const news = newsOf(`${pipeline}.${mart}`, say);
  const partitionNews = newsOf(`${pipeline}.${mart}`, say);
  return await orItsReason(
    followWork<MergeResult>(client, {
      workflowId,
      async onActivities(activities) {
        news(activities);
        if (activities.length > 0) return;
        // What is being done is done by the workflow of a partition; nobody may be there to answer which.
        const asked = client.workflow.getHandle(workflowId).query<MartProgress>('progress');
        const { merging = null } = await asked.catch(() => ({}) as Partial<MartProgress>);
        if (merging === null) return;
        const work = await describeWork(client, workflowIds.merge(pipeline, mart, merging));
        if (work?.status === 'RUNNING') partitionNews(work.activities);
      },
    }),
  );
}

/** What a merge has done, one line a partition. */
export function mergeLines(name: string, { parts, days, rows }: MergeResult): string[] {
  const countOf = (count: number) => `${formatCount(count)} day${count === 1 ? '' : 's'}`;
  return [
    ...parts.map((part) => {
      const took = formatDuration(part.seconds * 1000);
      const what = `${countOf(part.days.length)}, ${formatCount(part.rows)} rows in ${took}`;
      return `${name}: partition ${part.partition}: ${what}`;
    }),
    `${name}: ${days === 0 ? 'nothing to merge' : `merged ${countOf(days)}, ${formatCount(rows)} rows`}`,
  ];
}

/** Has a mart by keys merged and waits for it, telling what it does. @throws an Error with the failure's own line. */
export async function runKeysMerge(
  temporal: Temporal,
  { pipeline, mart, asked, say }: { pipeline: string; mart: string; asked: KeysRequest; say: Say },
): Promise<MergeResult> {
  const { followWork } = await import('../../adapters/temporalWork.ts');
  const workflowId = await temporal.startKeysMerge(pipeline, mart, asked);
  const onActivities = newsOf(pipeline, say);
  return await orItsReason(followWork<MergeResult>(temporal.client, { workflowId, onActivities }));
}

/** What a merge by keys has done, one line a mart. */
export function keysLines({ byKeys = [] }: MergeResult): string[] {
  return byKeys.map(({ mart, keys, rows, rebuilt, waiting, seconds }) => {
    if (waiting !== null) return `${mart}: nothing was merged: ${waiting}`;
    const why = rebuilt === null ? '' : `, all there are, since ${rebuilt}`;
    return `${mart}: merged ${formatCount(keys)} keys${why}: ${formatCount(rows)} rows in ${formatDuration(seconds * 1000)}`;
  });
}
