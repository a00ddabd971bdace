import type { Client } from '@temporalio/client';
import type { Command } from 'commander';
import { TidegateError } from '../../core/errors.ts';
import { diffSchedules, type ExistingSchedule, type WantedSchedule, wantedSchedules } from '../../core/schedules.ts';
import type { CommandContext } from '../context.ts';

interface ScheduleFlags {
  dryRun: boolean;
  deleteOrphans: boolean;
}

export function registerSchedule(program: Command, context: CommandContext): void {
  program
    .command('schedule')
    .description('create and update the Temporal Schedules that the definitions want; a pause of yours stays')
    .option('--dry-run', 'only say what would be done', false)
    .option('--delete-orphans', 'delete schedules of tables and pipelines that are no longer defined', false)
    .action(async (flags: ScheduleFlags) => {
      const wanted = wantedSchedules(await context.pipelines());
      const { client } = await context.temporal();
      await reconcileSchedules(client, { ...flags, wanted, say: console.log });
    });
}

/**
 * Makes the server's schedules what is wanted; a second run changes nothing. Says one line a schedule and a count.
 * @throws TidegateError ALREADY_RUNNING at the end, when somebody else's schedule has a wanted id.
 */
export async function reconcileSchedules(
  client: Client,
  options: ScheduleFlags & { wanted: readonly WantedSchedule[]; say: (line: string) => void },
): Promise<void> {
  const { wanted, dryRun, deleteOrphans, say } = options;
  const schedules = await import('../../adapters/temporalSchedules.ts');
  const existing = await schedules.readSchedules(client, wanted);
  const changes = diffSchedules(wanted, existing);
  const pausedIds = new Set(existing.filter(({ paused }) => paused).map(({ id }) => id));
  const line = (action: string, { id, cron, note }: WantedSchedule) =>
    say(`${action.padEnd(9)}  ${id}  ${cron} UTC  ${note}${pausedIds.has(id) ? ' (paused)' : ''}`);
  for (const each of changes.create) {
    if (!dryRun) await schedules.createSchedule(client, each);
    line('create', each);
  }
  for (const each of changes.update) {
    if (!dryRun) await schedules.updateSchedule(client, each);
    line('update', each);
  }
  for (const each of changes.unchanged) line('unchanged', each);
  for (const { id } of changes.orphans) {
    if (deleteOrphans && !dryRun) await schedules.deleteSchedule(client, id);
    say(`${(deleteOrphans ? 'delete' : 'orphan').padEnd(9)}  ${id}  no definition wants it`);
  }
  for (const each of changes.taken) line('taken', each);
  say(summary(changes.orphans, { ...options, ...changes }));
  if (changes.taken.length === 0) return;
  const ids = changes.taken.map(({ id }) => id).join(', ');
  throw new TidegateError('ALREADY_RUNNING', `somebody else's schedules have the ids ${ids}`, {
    remedy: 'Delete or rename them in the Temporal Web UI, then run this again.',
  });
}

function summary(
  orphans: readonly ExistingSchedule[],
  done: Record<'create' | 'update' | 'unchanged', readonly WantedSchedule[]> & ScheduleFlags,
): string {
  const { create, update, unchanged, dryRun, deleteOrphans } = done;
  const counts = `${create.length} created, ${update.length} updated, ${unchanged.length} unchanged`;
  const left = `${orphans.length} ${deleteOrphans ? 'deleted' : 'orphaned'}`;
  const hint = orphans.length > 0 && !deleteOrphans ? ' (--delete-orphans deletes them)' : '';
  return `${dryRun ? 'dry run: ' : ''}${counts}, ${left}${hint}`;
}
