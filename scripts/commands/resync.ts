import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import { notStarted } from '../../adapters/temporal.ts';
import type { ResyncDone } from '../../core/activityTypes.ts';
import { findReplica } from '../../core/definition.ts';
import { TidegateError } from '../../core/errors.ts';
import { workflowIds } from '../../core/names.ts';
import type { CommandContext } from '../context.ts';
import { formatBytes, formatCount, formatDuration } from '../output.ts';
import { newsOf, orItsReason } from './triggerFollow.ts';

const POLL_MS = 500;

export function registerResync(program: Command, context: CommandContext): void {
  program
    .command('resync')
    .argument('<pipeline>')
    .argument('<table>')
    .description('load one stream table anew while all streams go on; its rows are swapped in whole')
    .option('--json', 'print one JSON object')
    .action(async (pipeline: string, written: string, { json }: { json?: true }) => {
      const [definition] = await context.pipelines(pipeline);
      const { label } = findReplica(definition!, written);
      await context.requireWorkers('stream');
      await context.requireWorkers('batch');
      const say = json ? () => undefined : (line: string) => console.log(line);
      const done = await resync(context, { pipeline, table: label, say });
      if (json) console.log(JSON.stringify(done, null, 2));
      else {
        const copied = `${formatCount(done.rows)} rows, ${formatBytes(done.bytes)}`;
        console.log(`${pipeline}.${label}: ${copied} at ${done.lsn} in ${formatDuration(done.seconds * 1000)}`);
      }
    });
}

/** Asks for a resync and follows it to its end. @throws an Error with the failure's own line. */
async function resync(
  context: CommandContext,
  { pipeline, table, say }: { pipeline: string; table: string; say: (line: string) => void },
): Promise<ResyncDone> {
  const { describeWork } = await import('../../adapters/temporalWork.ts');
  const temporal = await context.temporal();
  const ticket = await orItsReason(temporal.updateStream<number>(pipeline, 'resync', table));
  const news = newsOf(`${pipeline}.${table}`, say);
  for (;;) {
    const view = await temporal.stream(pipeline);
    if (!view) throw notStarted(pipeline);
    const { resyncs, resynced } = view.status;
    const done = resynced.find((each) => each.table === table && each.ticket >= ticket);
    if (done) return done;
    const found = resyncs.find((each) => each.ticket === ticket);
    if (found?.state === 'failed') throw new Error(found.reason);
    if (view.answered && !found) {
      throw new TidegateError('NOT_STARTED', `the resync of ${table} has given way to something else`, {
        remedy: `A snapshot may have loaded every table meanwhile: see 'npx tidegate status ${pipeline}'.`,
      });
    }
    const work = await describeWork(temporal.client, workflowIds.resync(pipeline, table));
    if (found?.state === 'running' && work?.status === 'RUNNING') news(work.activities);
    await delay(POLL_MS);
  }
}
