#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import { messageOf, TidegateError } from '../core/errors.ts';
import { registerDeadLetters } from './commands/deadLetters.ts';
import { registerEnv } from './commands/env.ts';
import { registerInit } from './commands/init.ts';
import { registerPause, registerResume } from './commands/pause.ts';
import { registerApply, registerPlan } from './commands/plan.ts';
import { registerResync } from './commands/resync.ts';
import { registerSchedule } from './commands/schedule.ts';
import { registerStatus } from './commands/status.ts';
import { registerTail } from './commands/tail.ts';
import { registerTrigger } from './commands/trigger.ts';
import { registerVerify } from './commands/verify.ts';
import { CommandContext } from './context.ts';

const context = new CommandContext();
const program = new Command('tidegate')
  .description('Keeps ClickHouse in step with PostgreSQL.')
  .option('--debug', 'print stack traces of errors')
  .configureOutput({ outputError: () => undefined })
  .exitOverride()
  .helpCommand(false);
for (const register of [
  registerInit,
  registerPlan,
  registerApply,
  registerStatus,
  registerPause,
  registerResume,
  registerResync,
  registerVerify,
  registerDeadLetters,
  registerTrigger,
  registerSchedule,
  registerTail,
  registerEnv,
]) {
  register(program, context);
}

/** `tidegate: what happened. What to do.` on one line. */
function errorLine(error: unknown): string {
  if (error instanceof CommanderError) {
    const said = error.message.replace(/^error: /, '').replace(/\s*\n\s*/g, ' ');
    return `${said.replace(/\.$/, '')}. See: npx tidegate --help`;
  }
  // The code in front serves logs; a person at a terminal reads a sentence.
  return error instanceof TidegateError ? error.line.slice(error.code.length + 2) : messageOf(error);
}

// A reader such as `head` that has seen enough is no error.
process.stdout.on('error', () => process.exit());
try {
  if (process.argv.length <= 2) program.help({ error: true });
  await program.parseAsync();
} catch (error) {
  const asked = error instanceof CommanderError && (error.exitCode === 0 || error.code === 'commander.help');
  if (!asked) console.error(`tidegate: ${errorLine(error)}`);
  if (!asked && process.argv.includes('--debug') && error instanceof Error) console.error(error.stack);
  if (!(error instanceof CommanderError && error.exitCode === 0)) process.exitCode = 1;
} finally {
  await context.close();
}
