import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { MergeStep } from '../../activities/mergeDays.ts';
import type { MergeKeysStep } from '../../activities/mergeKeys.ts';
import type { ResyncStep } from '../../activities/resyncTable.ts';
import type { Definitions } from '../../adapters/definitions.ts';
import { type Environment, loadEnvironment } from '../../adapters/environment.ts';
import { workflowBundle } from '../../workers/bundle.ts';
import { runWorkers } from '../../workers/runWorkers.ts';

/** Where a child's worker kills itself, see workerChild.ts. */
export type DeathAt =
  | ('before commit' | 'during commit' | 'before keeping' | 'after keeping' | 'while evolving')
  | `merge ${MergeStep}`
  | `keys ${MergeKeysStep}`
  | `resync: ${ResyncStep}`;

/** Workers of one scenario: in this process, or in one that can be killed. */
export interface Workers {
  /** Lets the streams land what they hold, and ends. */
  stop(): Promise<void>;
  /** kill -9; only for a child. */
  kill(): Promise<void>;
  /** The child's end, however it comes about; never for workers in this process. */
  ended: Promise<void>;
}

const LINES = 60;
const lines: string[] = [];

function log(line: string): void {
  lines.push(...line.split('\n').filter(Boolean));
  lines.splice(0, Math.max(0, lines.length - LINES));
}

/** The last lines that any worker has logged. */
export function workerLog(): string {
  return lines.join('\n');
}

let bundleFile: Promise<string> | null = null;

/** The workflows' bundle, built once in this process. */
export async function sharedBundle(): Promise<string> {
  bundleFile ??= (async () => {
    const bundle = await workflowBundle(loadEnvironment());
    if ('codePath' in bundle) return bundle.codePath;
    const folder = mkdtempSync(join(tmpdir(), 'tidegate-bundle-'));
    process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
    const file = join(folder, 'workflows.js');
    writeFileSync(file, bundle.code);
    return file;
  })();
  return await bundleFile;
}

export function startInProcess(options: { environment: Environment; definitions: Definitions }): Workers {
  const stopping = new AbortController();
  const running = runWorkers({ ...options, signal: stopping.signal, log });
  running.catch((error) => log(`the workers broke: ${error}`));
  return {
    async stop() {
      stopping.abort();
      await running;
    },
    kill: () => Promise.reject(new Error('workers in this process cannot be killed')),
    ended: new Promise(() => undefined),
  };
}

const main = fileURLToPath(new URL('../../workers/main.ts', import.meta.url));
const child = fileURLToPath(new URL('workerChild.ts', import.meta.url));

/** @param options.environment names in TIDEGATE_PIPELINES the folder with the scenario's definition. */
export function startChild(options: { environment: Environment; deathAt?: DeathAt }): Workers & { pid: number } {
  const { environment, deathAt } = options;
  const command = deathAt === undefined ? [main] : [child, deathAt];
  const running: ChildProcess = spawn(process.execPath, command, {
    env: Object.fromEntries(environment.entries()),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.stdout?.on('data', (chunk) => log(String(chunk)));
  running.stderr?.on('data', (chunk) => log(String(chunk)));
  const ended = once(running, 'close').then(() => undefined);
  const end = async (signal: 'SIGTERM' | 'SIGKILL') => {
    running.kill(signal);
    await ended;
  };
  return { pid: running.pid ?? 0, stop: () => end('SIGTERM'), kill: () => end('SIGKILL'), ended };
}
