import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { writeFileAtomically } from './files.ts';

/** A process, told apart from a later one that got the same number by the moment at which it started. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startedAt: string;
}

/** One step of ending a process: a signal and how long the process may take to heed it. */
export interface EndingStep {
  readonly signal: NodeJS.Signals;
  readonly graceMs: number;
}

/** The identity of the running process with this number; undefined when there is none (a zombie counts as none). */
export function identify(pid: number): ProcessIdentity | undefined {
  const startedAt = process.platform === 'linux' ? startOnLinux(pid) : startByPs(pid);
  return startedAt === undefined ? undefined : { pid, startedAt };
}

export function isRunning(identity: ProcessIdentity): boolean {
  return identify(identity.pid)?.startedAt === identity.startedAt;
}

/** The program and arguments of a running process, separated by spaces; empty when there is none. */
export function commandLine(pid: number): string {
  try {
    if (process.platform === 'linux') return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
    return execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' });
  } catch {
    return '';
  }
}

/** Sends the steps' signals one after another until the process has gone. Never signals a recycled pid. */
export async function endProcess(identity: ProcessIdentity, steps: readonly EndingStep[]): Promise<void> {
  for (const step of [...steps, { signal: 'SIGKILL', graceMs: 10_000 } as const]) {
    if (!isRunning(identity)) return;
    signalProcess(identity, step.signal);
    const deadline = Date.now() + step.graceMs;
    while (Date.now() < deadline) {
      if (!isRunning(identity)) return;
      await sleep(process.platform === 'linux' ? 25 : 200);
    }
  }
}

/** Signals the process if it still runs; returns whether it did. */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (!isRunning(identity)) return false;
  try {
    return process.kill(identity.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

export function formatIdentity(identity: ProcessIdentity): string {
  return `${identity.pid} ${identity.startedAt}\n`;
}

export function parseIdentity(text: string): ProcessIdentity | undefined {
  const match = /^(\d+) (.+)$/.exec(text.trim());
  return match === null ? undefined : { pid: Number(match[1]), startedAt: match[2]! };
}

export function writePidFile(path: string, identity: ProcessIdentity): void {
  writeFileAtomically(path, formatIdentity(identity), 0o600);
}

/** The process that a pid file names, if it still runs. */
export async function readPidFile(path: string): Promise<ProcessIdentity | undefined> {
  const identity = parseIdentity(await readFile(path, 'utf8').catch(() => ''));
  return identity !== undefined && isRunning(identity) ? identity : undefined;
}

export async function removePidFile(path: string): Promise<void> {
  await rm(path, { force: true });
}

function startOnLinux(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command name stands in parentheses and may itself hold spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
    // The start is counted in ticks since boot, so the boot's own id makes it unique across reboots.
    return `${bootId()}:${fields[19]}`;
  } catch {
    return undefined;
  }
}

let knownBootId: string | undefined;

function bootId(): string {
  knownBootId ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return knownBootId;
}

function startByPs(pid: number): string | undefined {
  try {
    const line = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C' },
    });
    const [state, ...start] = line.trim().split(/\s+/);
    return state === undefined || state.startsWith('Z') ? undefined : start.join(' ');
  } catch {
    return undefined;
  }
}
