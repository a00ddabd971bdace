import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import { notStarted, type Temporal } from '../../adapters/temporal.ts';
import type { RelayStatus, SupervisorStatus } from '../../core/activityTypes.ts';
import { TidegateError } from '../../core/errors.ts';
import type { CommandContext } from '../context.ts';

/** A last flush takes a second or two; a worker that was killed is noticed after 20. */
const PATIENCE_MS = 60_000;

export function registerPause(program: Command, context: CommandContext): void {
  program
    .command('pause')
    .argument('<pipeline>')
    .description('let a stream land what it has read, then stand still; changes are kept in Kafka')
    .option('--outbox', 'pause the relay of its outboxes instead; rows are kept in the outbox', false)
    .action(async (pipeline: string, { outbox }: { outbox: boolean }) => {
      if (outbox) {
        const relay = await signal(context, { pipeline, name: 'pause', until: ['paused'], of: RELAY });
        console.log(`${pipeline}: relay ${relay.phase}`);
        return;
      }
      // During a snapshot the pause waits for its end, which may take hours.
      const { phase } = await signal(context, {
        ...{ pipeline, name: 'pause', of: STREAM },
        until: ['paused', 'snapshotting'],
      });
      const later = phase === 'snapshotting' ? '; a snapshot is being taken, and the stream pauses after it' : '';
      console.log(`${pipeline}: ${phase}${later}`);
    });
}

export function registerResume(program: Command, context: CommandContext): void {
  program
    .command('resume')
    .argument('<pipeline>')
    .description('end a pause, or try again what has failed')
    .option('--outbox', 'of the relay of its outboxes', false)
    .action(async (pipeline: string, { outbox }: { outbox: boolean }) => {
      if (outbox) {
        const relay = await signal(context, { pipeline, name: 'resume', until: ['relaying'], of: RELAY });
        console.log(`${pipeline}: relay ${relay.phase}`);
        return;
      }
      const until = ['preparing', 'snapshotting', 'streaming'] as const;
      const { phase } = await signal(context, { pipeline, name: 'resume', until, of: STREAM });
      console.log(`${pipeline}: ${phase}`);
    });
}

/** What is paused and resumed: how it is told, and asked. */
interface Pausable<Status> {
  tell: (temporal: Temporal, pipeline: string, signal: 'pause' | 'resume') => Promise<void>;
  ask: (temporal: Temporal, pipeline: string) => Promise<{ status: Status; answered: boolean } | null>;
}

const STREAM: Pausable<SupervisorStatus> = {
  tell: (temporal, pipeline, signal) => temporal.signalStream(pipeline, signal),
  ask: (temporal, pipeline) => temporal.stream(pipeline),
};

const RELAY: Pausable<RelayStatus> = {
  tell: (temporal, pipeline, signal) => temporal.signalRelay(pipeline, signal),
  ask: (temporal, pipeline) => temporal.relay(pipeline),
};

interface SignalOptions<Status extends { phase: string }> {
  pipeline: string;
  name: 'pause' | 'resume';
  until: readonly Status['phase'][];
  of: Pausable<Status>;
}

async function signal<Status extends { phase: string; reason: string }>(
  context: CommandContext,
  { pipeline, name, until, of }: SignalOptions<Status>,
): Promise<Status> {
  await context.pipelines(pipeline);
  const temporal = await context.temporal();
  await of.tell(temporal, pipeline, name);
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const view = await of.ask(temporal, pipeline);
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
