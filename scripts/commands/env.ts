import { join } from 'node:path';
import type { Command } from 'commander';
import { readEnvFile, STACK_ENV_FILE } from '../../adapters/environment.ts';
import type { CommandContext } from '../context.ts';

/** Settings of Tidegate's own; those of sources are named by the definitions. */
const OWN = /^(CLICKHOUSE|KAFKA|CONNECT|TEMPORAL|TIDEGATE|POSTGRES)_[A-Z0-9_]+$/;

export function registerEnv(program: Command, context: CommandContext): void {
  program
    .command('env')
    .description("print the running stack's addresses and credentials as KEY=value lines")
    .action(async () => {
      for (const [name, value] of await settings(context)) console.log(`${name}=${quoted(value)}`);
    });
}

/** What the stack published, what else is set of Tidegate's own, and the sources that the definitions name. */
async function settings(context: CommandContext): Promise<[string, string][]> {
  const { environment } = context;
  const published = Object.keys(readEnvFile(join(environment.home, STACK_ENV_FILE)));
  const sources = (await context.pipelines()).flatMap(({ source, outboxes }) => [
    ...[source.url, source.captureUrl],
    ...outboxes.map(({ url }) => url),
  ]);
  const wanted = new Set([...published, ...sources]);
  return environment
    .entries()
    .filter(([name]) => wanted.has(name) || OWN.test(name))
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

/** Bare where a shell and an .env reader take it as it is, else in single quotes. */
function quoted(value: string): string {
  return /^[\w@%+=:,./-]*$/.test(value) ? value : `'${value.replaceAll("'", "'\\''")}'`;
}
