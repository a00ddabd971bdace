import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readSync, renameSync, statSync } from 'node:fs';
import { lastLines } from './files.ts';
import { identify, type ProcessIdentity } from './identity.ts';
import type { Command } from './service.ts';

const largestLog = 32 * 1024 * 1024;

export interface Launched {
  readonly identity: ProcessIdentity;
  /** Resolves with words for how the process ended. */
  readonly exited: Promise<string>;
}

/**
 * Starts a service's process in a session of its own, so that a Ctrl-C in the terminal reaches the launcher only, which
 * then stops the services in order. Output goes straight into the log, so the service outlives a killed launcher.
 */
export function launch(command: Command, log: string): Launched {
  rotate(log);
  const output = openSync(log, 'a', 0o600);
  let child: ChildProcess;
  try {
    child = spawn(command.file, command.args, {
      detached: true,
      stdio: ['ignore', output, output],
      env: { ...process.env, ...command.env },
      ...(command.cwd === undefined ? {} : { cwd: command.cwd }),
      ...(command.uid === undefined ? {} : { uid: command.uid }),
      ...(command.gid === undefined ? {} : { gid: command.gid }),
    });
  } finally {
    closeSync(output);
  }
  const exited = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(`it could not be run: ${error.message}`));
    child.once('exit', (code, signal) => resolve(signal === null ? `it exited with code ${code}` : `it got ${signal}`));
  });
  // A process that could not be spawned, or has ended already, has no identity; nothing will ever match this one.
  const identity = child.pid === undefined ? undefined : identify(child.pid);
  return { identity: identity ?? { pid: child.pid ?? 0, startedAt: 'never' }, exited };
}

/** The last lines of a log, reading no more than its end. */
export function tailLog(path: string, lines = 12): string {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch {
    return '';
  }
  try {
    const size = statSync(path).size;
    const buffer = Buffer.alloc(Math.min(size, 16_384));
    readSync(file, buffer, 0, buffer.length, size - buffer.length);
    return lastLines(buffer.toString('utf8'), lines);
  } finally {
    closeSync(file);
  }
}

function rotate(log: string): void {
  const size = statSync(log, { throwIfNoEntry: false })?.size ?? 0;
  if (size > largestLog) renameSync(log, `${log}.1`);
}
