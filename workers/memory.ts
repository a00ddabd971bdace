import { existsSync } from 'node:fs';
import { enableCompileCache, flushCompileCache } from 'node:module';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';

/**
 * What a worker's process is to be started with so that its memory stays small while a backlog streams through it.
 * V8 would else let 64 MB of short-lived objects come together before it looks, and buffers that they point to with them;
 * glibc would keep an arena for each thread and hold freed buffers back. Measured in ARCHITECTURE.md.
 */
const V8_OPTIONS = ['--max-semi-space-size=8'];
/** How much the heap may grow until V8 looks at all of it. What it chooses by itself lies between 30 and 150 %, by chance. */
const HEAP_GROWTH = '--heap-growing-percent=60';
const MALLOC = { MALLOC_ARENA_MAX: '1', MALLOC_MMAP_THRESHOLD_: '131072', MALLOC_TRIM_THRESHOLD_: '131072' };

/** Where Node finds the code as it runs it: what is there needs no compiler for TypeScript in the process, 18 MB. */
const COMPILED = process.env['NODE_COMPILE_CACHE'] ?? join(import.meta.dirname, '../node_modules/.cache/tidegate');

/**
 * Lets this process begin anew with those settings, under the same pid; returns where that is not possible or needed, and
 * where MALLOC_ARENA_MAX says that the operator has settings of their own.
 */
export async function saveMemory(): Promise<void> {
  if (process.platform === 'linux' && process.execve && process.env['MALLOC_ARENA_MAX'] === undefined) {
    if (!existsSync(COMPILED)) await compile();
    const args = [process.execPath, ...V8_OPTIONS, ...process.execArgv, ...process.argv.slice(1)];
    process.execve(process.execPath, args, { ...process.env, ...MALLOC, NODE_COMPILE_CACHE: COMPILED });
  }
  // Only now: Node names its folder of compiled code after V8's settings, so they must not differ before.
  setFlagsFromString(HEAP_GROWTH);
}

/**
 * Fills the folder before the first start, where it may be written. Later changes of the code add themselves, at the cost
 * of that compiler once.
 */
async function compile(): Promise<void> {
  if (enableCompileCache(COMPILED).directory === undefined) return;
  const [{ loadDefinitions }] = await Promise.all([import('../adapters/definitions.ts'), import('./runWorkers.ts')]);
  await loadDefinitions([]);
  flushCompileCache();
}
