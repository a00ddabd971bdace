import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readEnvFile } from '../../adapters/environment.ts';

/** What a finished command left behind. */
export interface Finished {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** A TIDEGATE_HOME of its own, and the commands of README run in it as a person would type them. */
export class Home {
  readonly path = mkdtempSync(join(tmpdir(), 'tidegate-e2e-'));
  #children: ChildProcess[] = [];

  /** Runs a command line to its end. `settings` are set in its environment. */
  async run(line: string, settings: Record<string, string> = {}): Promise<Finished> {
    const child = this.#spawn(line, settings);
    let stdout = '';
    let stderr = '';
    child.stdout?.on('data', (chunk) => {
      stdout += chunk;
    });
    child.stderr?.on('data', (chunk) => {
      stderr += chunk;
    });
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, stdout, stderr };
  }

  /** Starts a command line and returns once its output holds `text`. */
  async startUntil(
    line: string,
    text: string,
    deadlineMs = 300_000,
  ): Promise<{ child: ChildProcess; output: () => string }> {
    const child = this.#spawn(line, {});
    let seen = '';
    const collect = (chunk: Buffer) => {
      seen += chunk;
    };
    child.stdout?.on('data', collect);
    child.stderr?.on('data', collect);
    const ended = once(child, 'close').then(() => true);
    const deadline = Date.now() + deadlineMs;
    while (!seen.includes(text)) {
      const over = await Promise.race([ended, sleep(100).then(() => false)]);
      if (over || Date.now() > deadline) throw new Error(`'${line}' did not print '${text}':\n${seen}`);
    }
    return { child, output: () => seen };
  }

  /** Addresses and credentials of the stack that runs in this home. */
  settings(): Record<string, string> {
    return readEnvFile(join(this.path, 'stack.env'));
  }

  /** The pid in one of the home's pid files. */
  pid(name: string): number {
    return Number.parseInt(readFileSync(join(this.path, 'run', `${name}.pid`), 'utf8'), 10);
  }

  #spawn(line: string, settings: Record<string, string>): ChildProcess {
    const env = { ...process.env, TIDEGATE_HOME: this.path, NO_COLOR: '1', npm_config_loglevel: 'error', ...settings };
    // A process group of its own, so that a signal reaches npm, its shell and the script as Ctrl-C would.
    const child = spawn(line, { shell: true, stdio: ['ignore', 'pipe', 'pipe'], env, detached: true });
    this.#children.push(child);
    return child;
  }

  /** The commands that have not ended. */
  running(): ChildProcess[] {
    return this.#children.filter((each) => each.exitCode === null && each.signalCode === null);
  }

  /** Sends a signal to a command and everything it started in its group. */
  static signal(child: ChildProcess, signal: NodeJS.Signals): void {
    if (child.exitCode === null && child.pid) process.kill(-child.pid, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.running()) {
      const ended = once(child, 'close');
      Home.signal(child, 'SIGINT');
      await ended;
    }
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** Calls `check` until it returns something other than undefined, or throws after the deadline with the last error. */
export async function eventually<T>(
  what: string,
  check: () => Promise<T | undefined>,
  deadlineMs = 60_000,
): Promise<T> {
  const deadline = Date.now() + deadlineMs;
  let last: unknown;
  while (Date.now() < deadline) {
    try {
      const value = await check();
      if (value !== undefined) return value;
    } catch (error) {
      last = error;
    }
    await sleep(100);
  }
  throw new Error(`waited in vain for ${what}`, { cause: last });
}
