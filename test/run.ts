#!/usr/bin/env node
import { spawn } from 'node:child_process';
import { globSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { messageOf } from '../core/errors.ts';
import { startStack } from '../stack/stack.ts';

/**
 * The whole test suite: lint and types, unit tests, then everything that needs services on one stack of its own with
 * free ports, then the end-to-end tests, which start a stack themselves. Stops at the first level that fails.
 * `npm test -- unit` or `npm test -- test/integration/stream.test.ts` runs a part.
 */
const LEVELS = ['unit', 'replay', 'workflow', 'integration', 'scenarios', 'e2e'] as const;
const ON_SHARED_STACK: readonly string[] = ['replay', 'workflow', 'integration', 'scenarios'];

/** They start first, the longest at the head, so that none is left to run alone at the end; see what a run prints last. */
const LONGEST: readonly string[] = [
  'scenarios/faults',
  'scenarios/resyncKilled',
  'scenarios/shopKilled',
  'scenarios/drift',
  'scenarios/verify',
  'scenarios/verifyLive',
  'scenarios/martsKilled',
  'scenarios/marts',
  'scenarios/shop',
  'scenarios/faultsMessages',
  'scenarios/outbox',
  'scenarios/schema',
  'scenarios/faultsEvents',
  'workflow/superviseStream',
  'scenarios/resync',
  'scenarios/semantics',
  'scenarios/historyDrift',
  'integration/stack',
  'e2e/operations',
  'e2e/ownDatabase',
];

const asked = process.argv.slice(2);
const files = (level: string): string[] =>
  globSync(`test/${level}/**/*.test.ts`)
    .filter((file) => asked.length === 0 || asked.some((part) => part === level || file.endsWith(part)))
    .sort();

function longestFirst(paths: readonly string[]): string[] {
  const rank = (path: string) => {
    const at = LONGEST.findIndex((name) => path === `test/${name}.test.ts`);
    return at < 0 ? LONGEST.length : at;
  };
  return paths.toSorted((a, b) => rank(a) - rank(b));
}

/** What node has compiled, for the hundreds of processes that a run starts. */
const compiled = mkdtempSync(join(tmpdir(), 'tidegate-compiled-'));
process.env['NODE_COMPILE_CACHE'] = compiled;
// Kafka and Connect start a dozen times and live for minutes: half of their work would be to compile themselves well.
process.env['JAVA_TOOL_OPTIONS'] ??= '-XX:TieredStopAtLevel=1';

/** Runs a command with its output shown; rejects when it fails. */
async function run(command: string, args: string[], env: Record<string, string> = {}): Promise<void> {
  const started = performance.now();
  const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, ...env } });
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  if (code !== 0) throw new Error(`${command} ${args.slice(0, 3).join(' ')} failed after ${seconds} s`);
  console.log(`# passed in ${seconds} s`);
}

async function runTests(
  paths: string[],
  { concurrency, env = {} }: { concurrency: number; env?: Record<string, string> },
) {
  if (paths.length === 0) return;
  await run(process.execPath, ['test/runFiles.ts', String(concurrency), ...longestFirst(paths)], env);
}

async function runOnSharedStack(): Promise<void> {
  const paths = LEVELS.filter((level) => ON_SHARED_STACK.includes(level)).flatMap(files);
  if (paths.length === 0) return;
  const home = mkdtempSync(join(tmpdir(), 'tidegate-test-'));
  const stack = await startStack({ home, ports: 'auto', onProgress: (line) => console.log(`# ${line}`) });
  try {
    // Once for all tests that start workers.
    const bundle = join(home, 'workflows.js');
    await run(process.execPath, ['test/bundle/build.ts', bundle]);
    await runTests(paths, { concurrency: 4, env: { TIDEGATE_HOME: home, TIDEGATE_WORKFLOW_BUNDLE: bundle } });
  } finally {
    await stack.stop();
    rmSync(home, { recursive: true, force: true });
  }
}

try {
  if (asked.length === 0) {
    await run('npx', ['biome', 'check', '.']);
    await run('npx', ['tsc']);
  }
  await runTests(files('unit'), { concurrency: 2 });
  await runOnSharedStack();
  await runTests(files('e2e'), { concurrency: 2 });
} catch (error) {
  console.error(messageOf(error));
  process.exitCode = 1;
} finally {
  rmSync(compiled, { recursive: true, force: true });
}
