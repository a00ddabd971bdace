import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { loadDefinitions } from '../../adapters/definitions.ts';
import { toCsv } from '../../server/csv.ts';
import { readCursor, writeCursor } from '../../server/cursor.ts';
import { findReport, reportGrants } from '../../server/findReport.ts';
import { freshly } from '../../server/freshly.ts';
import { importsOf } from './imports.ts';

/** The report service's small parts. */
test('a cursor gives back its place, and no other text is one', () => {
  for (const place of [
    { day: '2026-01-31', item: '17' },
    { day: '1970-01-01', item: '-5' },
  ]) {
    assert.deepEqual(readCursor(writeCursor(place)), place);
  }
  const encode = (text: string) => Buffer.from(text).toString('base64url');
  for (const text of ['', 'x', encode('2026-02-30,1'), encode('2026-01-31,'), encode('2026-01-31,1,2'), '%00']) {
    assert.equal(readCursor(text), undefined, text);
  }
  assert.equal(readCursor(`${writeCursor({ day: '2026-01-31', item: '17' })} `), undefined);
});

test('CSV quotes texts and takes the meaning from formulas', () => {
  const rows = [
    { a: -1, b: '=1+1', c: null },
    { a: 0.5, b: 'say "hi"', c: { x: 1 } },
  ];
  assert.equal(toCsv(['a', 'b', 'c'], rows), '"a","b","c"\r\n-1,"\'=1+1",\r\n0.5,"say ""hi""","{""x"":1}"\r\n');
});

test('a caller joins no run that began before the call, and callers that wait share the next one', async () => {
  const runs: PromiseWithResolvers<number>[] = [];
  const ask = freshly<number>(() => {
    runs.push(Promise.withResolvers());
    return runs.at(-1)!.promise;
  });
  const first = ask('a');
  const [second, third] = [ask('a'), ask('a')];
  assert.equal(runs.length, 1);
  const other = ask('b');
  assert.equal(runs.length, 2);
  runs[0]!.resolve(1);
  assert.equal(await first, 1);
  assert.equal(runs.length, 3);
  const fourth = ask('a');
  runs[2]!.reject(new Error('away'));
  await assert.rejects(Promise.all([second, third]), /away/);
  await assert.rejects(third, /away/);
  assert.equal(runs.length, 4);
  runs[3]!.resolve(4);
  assert.equal(await fourth, 4);
  const fifth = ask('a');
  runs[4]!.resolve(5);
  assert.equal(await fifth, 5);
  runs[1]!.resolve(2);
  assert.equal(await other, 2);
});

test("deploy/clickhouse/roles.sql grants the report service what the local stack's account has", async () => {
  const sql = readFileSync('deploy/clickhouse/roles.sql', 'utf8');
  const granted = [...sql.matchAll(/^GRANT (.*) TO tidegate_report;$/gm)].map((match) => match[1]);
  const wanted = reportGrants(await findReport(await loadDefinitions([]), 'crm'));
  assert.deepEqual(granted.sort(), wanted.map((grant) => grant.replaceAll('`', '')).sort());
});

test('no code of the report service can open a connection to PostgreSQL', () => {
  const files = importsOf('server/main.ts');
  assert.ok(files.files.has('server/reportStore.ts'));
  assert.deepEqual(
    [...files.files].filter((file) => /postgres|replication/i.test(file)),
    [],
  );
  assert.deepEqual(
    [...files.packages].filter((name) => /^(pg|postgres)/.test(name)),
    [],
  );
});
