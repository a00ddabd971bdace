import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { waitForLock } from './lock.ts';
import type { Say } from './progress.ts';

/** Where downloads and builds are kept between runs and between clones of the repository. */
export function cacheFolder(): string {
  const { TIDEGATE_CACHE: own, XDG_CACHE_HOME: xdg } = process.env;
  return own || join(xdg || join(homedir(), '.cache'), 'tidegate');
}

/** The folder of an item, named by what it is made from, so that other pinned versions get another folder. */
export function cachedPath(name: string, madeFrom: readonly string[]): string {
  const hash = createHash('sha256');
  for (const part of [...madeFrom, process.platform, process.arch]) hash.update(part).update('\0');
  return join(cacheFolder(), `${name}-${hash.digest('hex').slice(0, 16)}`);
}

/**
 * Makes a cached folder unless it is there. It appears whole or not at all; of several processes that want it at once,
 * one makes it and the others wait.
 */
export async function ensureCached(
  folder: string,
  options: { say: Say; signal: AbortSignal; make: (into: string) => Promise<void> },
): Promise<void> {
  if (existsSync(folder)) return;
  await mkdir(dirname(folder), { recursive: true });
  let announced = 0;
  const lock = await waitForLock(`${folder}.lock`, {
    signal: options.signal,
    waiting: (holder) => {
      if (Date.now() - announced < 5000) return;
      announced = Date.now();
      options.say(`waiting for process ${holder.pid}, which is fetching the same`);
    },
  });
  try {
    if (existsSync(folder)) return;
    await removeLeftovers(folder);
    const temporary = await mkdtemp(`${folder}.tmp-`);
    try {
      await options.make(temporary);
      await rename(temporary, folder);
    } catch (error) {
      await rm(temporary, { recursive: true, force: true });
      throw error;
    }
  } finally {
    lock.release();
  }
}

/** Half-made folders of processes that were killed; the lock is held, so nobody is making one now. */
async function removeLeftovers(folder: string): Promise<void> {
  const prefix = `${basename(folder)}.tmp-`;
  for (const entry of await readdir(dirname(folder))) {
    if (entry.startsWith(prefix)) await rm(join(dirname(folder), entry), { recursive: true, force: true });
  }
}
