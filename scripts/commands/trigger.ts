import type { Command } from 'commander';
import { findTable } from '../../core/definition.ts';
import { type CommandContext, requireReferenceTable, splitLoadName } from '../context.ts';
import { formatBytes, formatCount, formatDuration } from '../output.ts';
import { runLoad, runVerify } from './triggerFollow.ts';
import { registerTriggerMerge } from './triggerMerge.ts';
import { reportLines } from './verify.ts';

export function registerTrigger(program: Command, context: CommandContext): void {
  const trigger = program
    .command('trigger')
    .description('start work by hand, follow it and print its result; what runs already is joined')
    .helpCommand(false);

  trigger
    .command('load')
    .argument('<pipeline.table>')
    .description('load a reference table whole')
    .action(async (written: string) => {
      const name = splitLoadName(written);
      const [pipeline] = await context.pipelines(name.pipeline);
      const table = findTable(pipeline!, name.table);
      requireReferenceTable(pipeline!, table);
      await context.requireWorkers('batch');
      const { rows, bytes, seconds } = await runLoad(context, {
        ...{ pipeline: pipeline!.name, table: table.label },
        say: console.log,
      });
      const took = formatDuration(seconds * 1000);
      console.log(`${pipeline!.name}.${table.label}: ${formatCount(rows)} rows, ${formatBytes(bytes)} in ${took}`);
    });

  registerTriggerMerge(trigger, context);

  trigger
    .command('verify')
    .argument('<pipeline>')
    .description('compare source and target of every table')
    .action(async (pipeline: string) => {
      await context.pipelines(pipeline);
      await context.requireWorkers('batch');
      const report = await runVerify(context, { pipeline, say: console.log });
      for (const line of reportLines(report)) console.log(line);
      if (!report.ok) process.exitCode = 1;
    });
}
