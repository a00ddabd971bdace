import { randomBytes } from 'node:crypto';
import { linkSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { readIfThere } from './files.ts';
import { formatIdentity, identify, isRunning, type ProcessIdentity, parseIdentity } from './identity.ts';

export interface Lock {
  release(): void;
}

/** Takes the lock file for this process; returns the process that holds it when there is one. */
export function tryLock(path: string): Lock | ProcessIdentity {
  const mine = formatIdentity(identify(process.pid)!);
  const draft = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  writeFileSync(draft, mine, { mode: 0o600, flag: 'wx' });
  try {
    for (;;) {
      if (linkIfFree(draft, path)) return { release: () => releaseIfMine(path, mine) };
      const content = readIfThere(path);
      if (content === undefined) continue;
      const holder = parseIdentity(content);
      if (holder !== undefined && isRunning(holder)) return holder;
      takeAway(path, content);
    }
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Waits for the lock, calling `waiting` each second with the process that holds it. */
export async function waitForLock(
  path: string,
  options: { signal?: AbortSignal | undefined; waiting: (holder: ProcessIdentity) => void },
): Promise<Lock> {
  for (;;) {
    const lock = tryLock(path);
    if ('release' in lock) return lock;
    options.waiting(lock);
    await sleep(1000, undefined, options.signal === undefined ? {} : { signal: options.signal });
  }
}

function linkIfFree(draft: string, path: string): boolean {
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Removes the lock of a process that has gone, unless another process has replaced it meanwhile. */
function takeAway(path: string, stale: string): void {
  const aside = `${path}.stale.${randomBytes(4).toString('hex')}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  // Somebody else may have cleared the stale lock and taken it between our reading and our renaming: give it back.
  if (readIfThere(aside) !== stale) linkIfFree(aside, path);
  rmSync(aside, { force: true });
}

function releaseIfMine(path: string, mine: string): void {
  if (readIfThere(path) === mine) rmSync(path, { force: true });
}
