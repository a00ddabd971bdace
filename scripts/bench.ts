#!/usr/bin/env node
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { runProgram } from '../adapters/program.ts';
import { TidegateError } from '../core/errors.ts';
import { freshness } from './bench/freshness.ts';
import { growth } from './bench/growth.ts';
import { Lab } from './bench/lab.ts';
import { aggregates, merge } from './bench/marts.ts';
import { writePage } from './bench/page.ts';
import { reference } from './bench/reference.ts';
import { type BenchReport, type BenchResult, machine } from './bench/result.ts';
import { snapshot } from './bench/snapshot.ts';
import { stream } from './bench/stream.ts';
import { sustained } from './bench/sustained.ts';
import { reportLines } from './bench/table.ts';

/** In the order in which they run: each finds what those before it have filled. */
const BENCHMARKS = { snapshot, reference, stream, freshness, sustained, growth, merge, aggregates } as const;
/** These measure pipelines that ship, beside tables of their own. */
const OF_PIPELINES: readonly Name[] = ['merge', 'aggregates'];

type Name = keyof typeof BENCHMARKS;

interface Options {
  only: Name[];
  rows: number;
  json: boolean;
  page: boolean;
}

function names(text: string): Name[] {
  return text.split(',').map((name) => {
    if (Object.hasOwn(BENCHMARKS, name)) return name as Name;
    throw new InvalidArgumentError(`It takes some of: ${Object.keys(BENCHMARKS).join(', ')}.`);
  });
}

function rowCount(text: string): number {
  const value = Number(text.replaceAll('_', ''));
  if (!Number.isSafeInteger(value) || value < 1000)
    throw new InvalidArgumentError('It takes a whole number from 1000.');
  return value;
}

async function main(options: Options): Promise<void> {
  const stopping = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.once(name, () => stopping.abort(new TidegateError('STACK_FAILED', 'interrupted', { remedy: '' })));
  }
  const home = mkdtempSync(join(tmpdir(), 'tidegate-bench-'));
  const say = (line: string) => process.stderr.write(`${line}\n`);
  try {
    const lab = await Lab.open({
      ...{ home, rows: options.rows, say, signal: stopping.signal },
      pipelines: options.only.some((name) => OF_PIPELINES.includes(name)),
    });
    const results: BenchResult[] = [];
    try {
      for (const name of options.only) {
        const start = performance.now();
        const result = await BENCHMARKS[name](lab);
        results.push({ ...result, seconds: (performance.now() - start) / 1000 });
      }
    } finally {
      await lab.close();
    }
    const report: BenchReport = { machine: machine(), date: new Date().toISOString().slice(0, 10), results };
    if (options.page) writePage(report);
    process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : `${reportLines(report).join('\n')}\n`);
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

const command = new Command('npm run bench --')
  .description(
    'Measures Tidegate and its peers side by side, on a stack of its own that is forgotten afterwards. The table, or with\n' +
      '--json one line, goes to standard output, progress to standard error. Close other programs first.',
  )
  .option('--only <names>', `some of: ${Object.keys(BENCHMARKS).join(', ')}`, names, Object.keys(BENCHMARKS) as Name[])
  .option('--rows <n>', 'rows of the tables (growth also takes 4 and 16 times as many)', rowCount, 2_000_000)
  .option('--json', 'print one line of JSON', false)
  .option('--page', 'also write docs/performance.md and its chart', false)
  .option('--debug', 'show stack traces of errors', false);
command.action((options: Options) => runProgram(() => main(options), { name: 'bench' }));
await command.parseAsync();
