/**
 * What a worker's process is to be started with so that its memory stays small while a backlog streams through it.
 * V8 would else let 64 MB of short-lived objects come together before it looks, and buffers that they point to with them;
 * glibc would keep an arena for each thread and hold freed buffers back. Measured in ARCHITECTURE.md.
 */
const V8_OPTIONS = ['--max-semi-space-size=8'];
const MALLOC = { MALLOC_ARENA_MAX: '1', MALLOC_MMAP_THRESHOLD_: '131072', MALLOC_TRIM_THRESHOLD_: '131072' };

/**
 * Lets this process begin anew with those settings, under the same pid; returns where that is not possible or needed, and
 * where MALLOC_ARENA_MAX says that the operator has settings of their own.
 */
export function saveMemory(): void {
  if (process.platform !== 'linux' || !process.execve || process.env['MALLOC_ARENA_MAX'] !== undefined) return;
  const args = [process.execPath, ...V8_OPTIONS, ...process.execArgv, ...process.argv.slice(1)];
  process.execve(process.execPath, args, { ...process.env, ...MALLOC });
}
