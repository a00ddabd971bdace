import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { formatBytes, formatDuration, tableLines, WIDTH, wrap } from '../../scripts/output.ts';

const command = fileURLToPath(new URL('../../scripts/tidegate.ts', import.meta.url));
const worker = fileURLToPath(new URL('../../workers/main.ts', import.meta.url));

interface Ended {
  code: number;
  out: string;
  err: string;
}

/** Runs the command where no stack runs. */
async function tidegate(...args: string[]): Promise<Ended> {
  return await run(command, args);
}

async function run(script: string, args: string[]): Promise<Ended> {
  const { PATH } = process.env;
  const env = { PATH, TIDEGATE_HOME: join(tmpdir(), 'tidegate-without-a-stack') };
  return await new Promise((resolve) => {
    execFile(process.execPath, [script, ...args], { env, cwd: tmpdir() }, (error, out, err) => {
      resolve({ code: error ? Number(error.code) : 0, out, err });
    });
  });
}

const WRONG: [what: string, args: string[], line: RegExp][] = [
  ['an unknown command', ['frobnicate'], /^tidegate: unknown command 'frobnicate'\. See: npx tidegate --help\n$/],
  ['a missing argument', ['pause'], /^tidegate: missing required argument 'pipeline'\. See: .*\n$/],
  ['an unknown option', ['status', '--fast'], /^tidegate: unknown option '--fast'\. See: .*\n$/],
  ['an unknown pipeline', ['pause', 'nope'], /^tidegate: there is no pipeline 'nope'\. There are: .*\n$/],
  [
    'an unknown table',
    ['trigger', 'load', 'wms.nope'],
    /^tidegate: pipeline 'wms' has no table 'nope'\. It has: .*\n$/,
  ],
  [
    'a table without its pipeline',
    ['trigger', 'load', 'products'],
    /^tidegate: 'products' does not name .*<pipeline>\.<table>\.\n$/,
  ],
  [
    'a mart that there is none of',
    ['trigger', 'merge', 'crm.nope', '--dirty'],
    /^tidegate: .* has no mart 'nope'\. .*\n$/,
  ],
  [
    'a merge of no day',
    ['trigger', 'merge', 'crm.prosthesis_reports_mart'],
    /^tidegate: these options do not say which days to merge\. Give --from .*\n$/,
  ],
  [
    'a merge of a day that there is none of',
    ['trigger', 'merge', 'crm.prosthesis_reports_mart', '--from', '2026-02-30'],
    /^tidegate: '2026-02-30' is no day; .*\n$/,
  ],
  ['a stream table to load', ['trigger', 'load', 'wms.stock_balances'], /^tidegate: .* is a stream table, .*\n$/],
  ['a database that is no URL', ['init', 'sales'], /^tidegate: the database has to be given as a URL\. Write .*\n$/],
  [
    'a name that ships with Tidegate',
    ['init', 'postgres://127.0.0.1:1/wms'],
    /^tidegate: a pipeline cannot be called 'wms': .*--name\.\n$/,
  ],
  [
    'a definition that nobody would find',
    ['init', 'postgres://127.0.0.1:1/sales', '--out', 'sales.ts'],
    /^tidegate: --out sales\.ts does not end in pipeline\.ts\. .*\n$/,
  ],
  [
    'an address that is not set',
    ['pause', 'wms'],
    /^tidegate: TEMPORAL_ADDRESS is not set\. Start the local stack .*\n$/,
  ],
];

describe('tidegate', { concurrency: 2 }, () => {
  for (const [what, args, line] of WRONG) {
    test(`answers ${what} with one line on stderr and exit code 1`, async () => {
      const { code, out, err } = await tidegate(...args);
      assert.equal(code, 1);
      assert.equal(out, '');
      assert.match(err, line);
    });
  }

  test('prints a stack trace with --debug', async () => {
    const { err } = await tidegate('pause', 'nope', '--debug');
    assert.match(err, /\n\s+at /);
  });

  for (const args of [['--help'], ['status', '--help'], ['trigger', '--help'], ['trigger', 'load', '--help']]) {
    test(`${args.join(' ')} explains itself and exits 0`, async () => {
      const { code, out, err } = await tidegate(...args);
      assert.equal(code, 0);
      assert.equal(err, '');
      assert.match(out, /^Usage: tidegate /);
    });
  }
});

test('the worker answers a queue that there is not, and settings that are missing, with one line', async () => {
  const queue = await run(worker, ['--queues', 'fast']);
  assert.equal(queue.code, 1);
  assert.match(queue.err, /^worker: INVALID_SETTING: there is no task queue 'fast'\. .*stream,batch\.\n$/);
  const settings = await run(worker, []);
  assert.equal(settings.code, 1);
  assert.match(settings.err, /^worker: INVALID_SETTING: TEMPORAL_ADDRESS is not set\. .*\n$/);
});

test('long lines are broken at spaces within 100 columns and keep their indentation', () => {
  const lines = wrap(`  note: ${'word '.repeat(50).trim()}`, '    ');
  assert.ok(lines.length > 1 && lines.every((line) => line.length <= WIDTH));
  assert.ok(lines[0]!.startsWith('  note: word'));
  assert.ok(lines.slice(1).every((line) => line.startsWith('    word')));
});

test('a table’s columns line up, numbers to the right', () => {
  const lines = tableLines(
    [{ title: 'имя' }, { title: 'rows', align: 'right' }],
    [
      ['stock', '1,234'],
      ['a', '5'],
    ],
  );
  assert.deepEqual(lines, ['имя     rows', 'stock  1,234', 'a          5']);
});

test('quantities are written for people', () => {
  assert.deepEqual([950, 3_100_000].map(formatBytes), ['950 B', '3.1 MB']);
  assert.deepEqual([45, 3200, 720_000, 18_000_000].map(formatDuration), ['45 ms', '3.2 s', '12 min', '5 h']);
});
