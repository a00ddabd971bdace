import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import { notStarted } from '../../adapters/temporal.ts';
import type { SupervisorPhase, SupervisorStatus } from '../../core/activityTypes.ts';
import { TidegateError } from '../../core/errors.ts';
import type { CommandContext } from '../context.ts';

/** A last flush takes a second or two; a worker that was killed is noticed after 20. */
const PATIENCE_MS = 60_000;

export function registerPause(program: Command, context: CommandContext): void {
  program
    .command('pause')
    .argument('<pipeline>')
    .description('let a stream land what it has read, then stand still; changes are kept in Kafka')
    .action(async (pipeline: string) => {
      // During a snapshot the pause waits for its end, which may take hours.
      const { phase } = await signal(context, { pipeline, name: 'pause', until: ['paused', 'snapshotting'] });
      const later = phase === 'snapshotting' ? '; a snapshot is being taken, and the stream pauses after it' : '';
      console.log(`${pipeline}: ${phase}${later}`);
    });
}

export function registerResume(program: Command, context: CommandContext): void {
  program
    .command('resume')
    .argument('<pipeline>')
    .description('end a pause, or try again what has failed')
    .action(async (pipeline: string) => {
      const until = ['preparing', 'snapshotting', 'streaming'] as const;
      const { phase } = await signal(context, { pipeline, name: 'resume', until });
      console.log(`${pipeline}: ${phase}`);
    });
}

interface SignalOptions {
  pipeline: string;
  name: 'pause' | 'resume';
  until: readonly SupervisorPhase[];
}

async function signal(context: CommandContext, { pipeline, name, until }: SignalOptions): Promise<SupervisorStatus> {
  await context.pipelines(pipeline);
  const temporal = await context.temporal();
  await temporal.signalStream(pipeline, name);
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const view = await temporal.stream(pipeline);
    if (!view) throw notStarted(pipeline);
    if (!view.answered) {
      throw new TidegateError(
        'SERVICE_UNREACHABLE',
        `the ${name} of '${pipeline}' is noted, but does not take effect`,
        {
          remedy: view.status.reason,
        },
      );
    }
    if (until.includes(view.status.phase)) return view.status;
    if (Date.now() > deadline) {
      throw new TidegateError('SERVICE_UNREACHABLE', `'${pipeline}' is still ${view.status.phase} after a minute`, {
        remedy: `See: npx tidegate status ${pipeline}`,
      });
    }
    await delay(200);
  }
}
