import type { Command } from 'commander';
import type { Temporal } from '../../adapters/temporal.ts';
import { dayOf, refusedRange } from '../../core/days.ts';
import { TidegateError } from '../../core/errors.ts';
import { findMart } from '../../core/martInputs.ts';
import type { MartProgress, MergeRequest, MergeResult } from '../../core/mergeTypes.ts';
import { workflowIds } from '../../core/names.ts';
import { type CommandContext, splitLoadName } from '../context.ts';
import { formatCount, formatDuration } from '../output.ts';
import { newsOf, orItsReason, type Say } from './triggerFollow.ts';

interface MergeOptions {
  from?: string;
  to?: string;
  dirty?: true;
}

export function registerTriggerMerge(trigger: Command, context: CommandContext): void {
  trigger
    .command('merge')
    .argument('<pipeline.mart>')
    .description('merge days of a mart, in UTC: these, or all that are not merged or dirty')
    .option('--from <day>', 'first day, like 2026-01-31')
    .option('--to <day>', 'last day, included; default: the first')
    .option('--dirty', 'every day up to yesterday that is not merged, or has got late events since')
    .action(async (written: string, options: MergeOptions) => {
      const name = splitLoadName(written);
      const [pipeline] = await context.pipelines(name.pipeline);
      const mart = findMart(pipeline!, name.table);
      const request = requestOf(options);
      await context.requireWorkers('batch');
      const about = { pipeline: pipeline!.name, mart: mart.name, request, say: console.log };
      const result = await runMerge(await context.temporal(), about);
      for (const line of mergeLines(`${pipeline!.name}.${mart.name}`, result)) console.log(line);
    });
}

/** @throws TidegateError INVALID_SETTING. */
function requestOf({ from, to = from, dirty }: MergeOptions): Pick<MergeRequest, 'days'> {
  const wrong = (what: string) =>
    new TidegateError('INVALID_SETTING', what, {
      remedy: 'Give --from and --to, or --dirty for all days that need it.',
    });
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
