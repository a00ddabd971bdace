import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { FakeActivities, typedFailure } from './fakeActivities.ts';
import { openNamespace, type TestNamespace } from './namespace.ts';

/** The command against a real server whose activities are fakes: what it starts, says and exits with. */
const command = fileURLToPath(new URL('../../scripts/tidegate.ts', import.meta.url));
const fakes = new FakeActivities();
const wms = fakes.pipeline('wms');
let namespace: TestNamespace;
before(async () => {
  namespace = await openNamespace('commands');
  await namespace.startWorkers(fakes.activities);
  wms.slot = true;
});
after(() => namespace[Symbol.asyncDispose]());

async function tidegate(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const env = { ...process.env, TEMPORAL_NAMESPACE: namespace.name };
  return await new Promise((resolve) => {
    execFile(process.execPath, [command, ...args], { env }, (error, out, err) => {
      resolve({ code: error ? Number(error.code) : 0, out, err });
    });
  });
}

test('pause and status say that a stream has not been started', async () => {
  const pause = await tidegate('pause', 'wms');
  assert.equal(pause.code, 1);
  assert.match(
    pause.err,
    /^tidegate: the stream of 'wms' has not been started\. Start it with: npx tidegate apply wms\n$/,
  );
  const status = await tidegate('status', 'wms', '--json');
  assert.equal(status.code, 0, status.err);
  assert.equal(JSON.parse(status.out).pipelines[0].phase, 'not started');
});

test('pause waits until the stream stands still, and resume until it is prepared again', async () => {
  await namespace.client.workflow.start('superviseStream', {
    ...{ workflowId: 'stream-wms', taskQueue: 'stream', args: ['wms'] },
  });
  const paused = await tidegate('pause', 'wms');
  assert.deepEqual(paused, { code: 0, out: 'wms: paused\n', err: '' });
  const status = await tidegate('status', 'wms');
  assert.match(status.out, /^wms: paused for .*Paused by an operator/);
  const resumed = await tidegate('resume', 'wms');
  assert.equal(resumed.code, 0);
  assert.match(resumed.out, /^wms: (preparing|streaming)\n$/);
});

test('status fits into 100 columns and names every table', async () => {
  const { out, code } = await tidegate('status');
  assert.equal(code, 0);
  for (const table of ['stock_balances', 'products', 'warehouses', 'regions']) assert.match(out, new RegExp(table));
  for (const line of out.split('\n')) assert.ok(line.length <= 100, line);
});

test('trigger load follows the load and prints its result', async () => {
  const { code, out } = await tidegate('trigger', 'load', 'wms.products');
  assert.equal(code, 0);
  assert.match(out, /^wms\.products: 3 rows, 30 B in 100 ms$/m);
});

test('trigger load that fails exits 1 with the reason on one line', async () => {
  wms.fail('copyReference', typedFailure('UNSUPPORTED_SOURCE', 'column x has type y'));
  const { code, err } = await tidegate('trigger', 'load', 'wms.products');
  assert.equal(code, 1);
  assert.equal(err, 'tidegate: column x has type y. Do this.\n');
});

test('trigger merge tells what each partition has got, and refuses days that it cannot merge', async () => {
  const mart = 'crm.prosthesis_reports_mart';
  const merged = await tidegate('trigger', 'merge', mart, '--from', '2026-01-31', '--to', '2026-02-01');
  assert.equal(merged.code, 0, merged.err);
  assert.match(merged.out, /: partition 202601: 1 day, 1 rows in 100 ms\n.*: partition 202602: 1 day/);
  assert.ok(merged.out.endsWith(`${mart}: merged 2 days, 2 rows\n`), merged.out);
  const dirty = await tidegate('trigger', 'merge', mart, '--dirty');
  assert.deepEqual([dirty.code, dirty.out.endsWith(`${mart}: nothing to merge\n`)], [0, true], dirty.out);
  fakes.pipeline('crm').fail('mergeDays', typedFailure('MART_REFUSED', 'no such column'));
  const failed = await tidegate('trigger', 'merge', mart, '--from', '2026-01-31');
  assert.deepEqual([failed.code, failed.err], [1, 'tidegate: no such column. Do this.\n']);
});

test('verify prints a table and exits 0 when all is equal, and 1 with the keys when not', async () => {
  const table = {
    table: 'products',
    load: 'reference',
    notCompared: null,
    sourceRows: 1200,
    targetRows: 1200,
    deadLetters: 0,
    unsettled: 0,
    seconds: 0.05,
  } as const;
  const repaired = { keys: 0, shown: [] };
  const same = { ...table, repaired, equal: true, differences: [] };
  wms.report = { pipeline: 'wms', lsn: '0/2A', ok: true, tables: [same], seconds: 0.1 };
  const equal = await tidegate('verify', 'wms');
  assert.equal(equal.code, 0, equal.err);
  assert.match(equal.out, /^wms: equal to its source at 0\/2A/);
  assert.match(equal.out, /products +reference +1,200 +1,200 +equal/);

  const other = { ...table, repaired, equal: false, differences: [{ key: '[42]', kind: 'missing' as const }] };
  wms.report = { ...wms.report, ok: false, tables: [other] };
  const different = await tidegate('verify', 'wms');
  assert.equal(different.code, 1);
  assert.match(different.out, /products: missing \[42\]/);
  const aside = { ...table, repaired, notCompared: 'it has no key. Add one.', sourceRows: null, targetRows: null };
  wms.report = { ...wms.report, tables: [{ ...aside, equal: false, differences: [] }] };
  const notCompared = await tidegate('verify', 'wms');
  assert.equal(notCompared.code, 1);
  assert.match(
    notCompared.out,
    /^wms: not wholly compared at[\s\S]*products +reference +not compared[\s\S]*products: it has no key/,
  );

  wms.report = { ...wms.report, tables: [other] };
  const json = await tidegate('verify', 'wms', '--json');
  assert.equal(json.code, 1);
  const parsed = JSON.parse(json.out);
  assert.equal(parsed.ok, false);
  assert.deepEqual(parsed.pipelines[0].tables[0].differences, [{ key: '[42]', kind: 'missing' }]);
});

test('schedule creates what the definitions want, then finds it unchanged', async () => {
  const first = await tidegate('schedule');
  assert.match(first.out, /^create +reference-wms-products {2}0 3 \* \* \* UTC/m);
  const created = /\n(\d+) created, 0 updated, 0 unchanged, 0 orphaned\n$/.exec(first.out)?.[1];
  assert.ok(Number(created) >= 4, first.out);
  const second = await tidegate('schedule');
  assert.ok(second.out.endsWith(`\n0 created, 0 updated, ${created} unchanged, 0 orphaned\n`), second.out);
});

test('a Temporal that does not answer is said on one line', async () => {
  const unreachable = await new Promise<{ code: number; err: string }>((resolve) => {
    const env = { ...process.env, TEMPORAL_ADDRESS: '127.0.0.1:1' };
    execFile(process.execPath, [command, 'status'], { env }, (error, _out, err) => {
      resolve({ code: error ? Number(error.code) : 0, err });
    });
  });
  assert.equal(unreachable.code, 1);
  assert.match(unreachable.err, /^tidegate: Temporal does not answer at 127\.0\.0\.1:1 .*npm start.*\n$/);
});
