import { spawn } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import type { TidegateError } from '../core/errors.ts';
import { stackFailed } from './error.ts';
import { lastLines } from './files.ts';
import type { MissingTool } from './service.ts';

export interface RunOptions {
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly uid?: number;
  readonly gid?: number;
  readonly signal?: AbortSignal;
  readonly onLine?: (line: string) => void;
}

/**
 * Runs a program to its end and returns all it printed. It runs in a session of its own, so a Ctrl-C reaches it through
 * `signal` only; then all processes that it started are ended with it.
 * @throws TidegateError with the last lines printed when it fails.
 */
export function run(file: string, options: RunOptions): Promise<string> {
  const { args, signal, onLine } = options;
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const child = spawn(file, args, {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.uid === undefined ? {} : { uid: options.uid }),
      ...(options.gid === undefined ? {} : { gid: options.gid }),
    });
    let output = '';
    const collect = (chunk: string): void => {
      output += chunk;
      for (const line of chunk.split('\n')) if (line !== '') onLine?.(line);
    };
    child.stdout.setEncoding('utf8').on('data', collect);
    child.stderr.setEncoding('utf8').on('data', collect);
    const giveUp = (): void => {
      // The session's group holds this program's own children only.
      if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
    };
    signal?.addEventListener('abort', giveUp, { once: true });
    child.once('error', (error) =>
      reject(stackFailed(`${file} could not be run: ${error.message}`, 'Install it, or make it executable.')),
    );
    child.once('close', (code, killedBy) => {
      signal?.removeEventListener('abort', giveUp);
      if (code === 0) return resolve(output);
      if (signal?.aborted) return reject(signal.reason);
      const tail = lastLines(output, 12).replaceAll(/^/gm, '  ');
      reject(stackFailed(`${file} failed (${killedBy ?? `code ${code}`})\n${tail}`, 'What it printed last follows.'));
    });
  });
}

/** The full path of a program on PATH, or undefined. */
export async function which(program: string): Promise<string | undefined> {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(folder, program);
    const found = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (folder !== '' && found) return path;
  }
  return undefined;
}

/** One message for everything that has to be installed first. */
export function missingToolsError(missing: readonly MissingTool[]): TidegateError {
  const what = [...new Set(missing.map((tool) => tool.what))];
  const packages = [...new Set(missing.map((tool) => tool.aptPackage))];
  const list = what.length === 1 ? what[0] : `${what.slice(0, -1).join(', ')} and ${what.at(-1)}`;
  const verb = what.length === 1 ? 'is' : 'are';
  const remedy = `On Debian or Ubuntu: apt-get install ${packages.join(' ')}`;
  return stackFailed(`${list} ${verb} needed and not installed`, remedy);
}
