import { relative, resolve } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';

/**
 * Runs test files as `node --test` does, but in the order in which they are named, and then says which took longest:
 * `node runFiles.ts CONCURRENCY FILE...`
 */
const [concurrency, ...files] = process.argv.slice(2);
const TIMEOUT_MS = 1_200_000;
const SHOWN = 10;

const stopping = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort());
// Until all have ended well.
process.exitCode = 1;
const seconds = new Map<string, number>();
const running = run({
  ...{ files: files.map((file) => resolve(file)), concurrency: Number(concurrency), timeout: TIMEOUT_MS },
  signal: stopping.signal,
});
running.on('test:summary', ({ file, duration_ms, success }) => {
  if (file === undefined) process.exitCode = success ? 0 : 1;
  else seconds.set(file, duration_ms / 1000);
});
for await (const text of running.compose(new spec())) process.stdout.write(text);
const slowest = [...seconds].sort(([, a], [, b]) => b - a).slice(0, SHOWN);
console.log(`# the slowest of ${seconds.size} files:`);
for (const [file, took] of slowest) console.log(`# ${took.toFixed(0).padStart(5)} s  ${relative('.', file)}`);
