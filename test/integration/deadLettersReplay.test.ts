import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { recordSnapshot, recordSnapshotStart } from '../../activities/snapshotRecord.ts';
import { loadEnvironment } from '../../adapters/environment.ts';
import { until } from '../workflow/until.ts';
import { messageOf, openLab } from './streamLab.ts';

/** Runs the command on the lab's pipeline, and gives what it printed and its exit code. */
async function tidegate(lab: Awaited<ReturnType<typeof openLab>>, ...args: string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'tidegate-letters-'));
  const input = { name: lab.name, source: 'UNUSED_URL', tables: { things: {} } };
  writeFileSync(join(folder, 'pipeline.ts'), `export default ${JSON.stringify(input)};\n`);
  const env = { ...process.env, TIDEGATE_HOME: loadEnvironment().home, TIDEGATE_PIPELINES: folder };
  const command = ['scripts/tidegate.ts', 'dead-letters', ...args];
  try {
    return await new Promise<{ code: number; out: string; err: string }>((resolve) => {
      execFile(process.execPath, command, { env }, (error, out, err) =>
        resolve({ code: error ? Number(error.code) : 0, out, err }),
      );
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('dead letters are listed, shown and, once their cause is mended, replayed', async () => {
  await using lab = await openLab();
  await lab.createTarget();
  await lab.send([
    messageOf({ id: 1, amount: '1.5', lsn: 10 }),
    'nonsense \u001b[31m',
    messageOf({ id: 2, amount: '2.5', lsn: 20 }),
    messageOf({ id: 2, amount: '3', op: 'u', lsn: 30 }),
  ]);
  const stream = lab.start();
  await until(lab.committed, (offset) => offset === 4n);
  stream.cancel();
  await stream.result;

  const listed = await tidegate(lab, 'list', lab.name);
  assert.equal(listed.code, 0, listed.err);
  assert.match(listed.out, /things +0:0 .* outstanding +CANNOT/);
  assert.match(listed.out, /things +0:1 .* outstanding +NOT_JSON: is not a JSON object/);
  assert.equal(listed.out.includes('0:3'), false);
  const limited = await tidegate(lab, 'list', lab.name, '--limit', '1');
  assert.match(limited.out, /There are more/);
  const shown = await tidegate(lab, 'show', lab.name, '--offset', '0:1');
  assert.match(shown.out, /nonsense \\u001b\[31m/);
  assert.match((await tidegate(lab, 'show', lab.name, '--offset', '0')).out, /^ {8}"amount": 1\.5$/m);
  const asJson = JSON.parse((await tidegate(lab, 'list', lab.name, '--json', '--table', 'things')).out);
  assert.equal(asJson.deadLetters[1].value, 'nonsense \u001b[31m');
  const absent = await tidegate(lab, 'show', lab.name, '--offset', '99');
  assert.deepEqual([absent.code, absent.err.split('\n').length], [1, 2]);
  assert.match((await tidegate(lab, 'replay', lab.name)).err, /either --offset or --all/);

  const again = await tidegate(lab, 'replay', lab.name, '--offset', '0:0');
  assert.equal(again.code, 1);
  assert.match(again.err, /^tidegate: message .* at offset 0 was refused: .*stays a dead letter/);

  const view = lab.ddl.find((sql) => sql.includes('`things_landing_mv`'));
  const mended = view!.replace(
    /CREATE MATERIALIZED VIEW IF NOT EXISTS (\S+) TO/,
    (_, name) => `CREATE MATERIALIZED VIEW ${name} TO`,
  );
  await lab.clickhouse.command(`DROP VIEW ${lab.name}.things_landing_mv SYNC`);
  await lab.clickhouse.command(
    mended.replaceAll(
      "tupleElement(after, 'amount')",
      "splitByChar('.', assumeNotNull(tupleElement(after, 'amount')))[1]",
    ),
  );
  const replayed = await tidegate(lab, 'replay', lab.name, '--all', '--json');
  assert.equal(replayed.code, 1);
  assert.equal(JSON.parse(replayed.out).replayed, 2);
  assert.match(replayed.err, /at offset 1 is not a JSON object/);
  // The older change of 2 came last, and still the newer one counts.
  assert.deepEqual(
    (await lab.rows()).map(({ id, amount }) => [id, amount]),
    [
      ['1', '1'],
      ['2', '3'],
    ],
  );
  assert.deepEqual(
    (await lab.letters.find({})).map(({ status }) => status),
    ['replayed', 'outstanding', 'replayed'],
  );
  assert.deepEqual([...(await lab.letters.outstanding())], [['things', 1]]);
  assert.equal((await tidegate(lab, 'replay', lab.name, '--offset', '0:0')).code, 1);
});

test('a snapshot supersedes the dead letters that are older, and no others', async () => {
  await using lab = await openLab();
  await lab.createTarget();
  const { pipeline } = lab.deps;
  const bad = (id: number, lsn: number) => messageOf({ id, amount: '"x"', lsn });
  const streamed = async (values: string[], until_: bigint) => {
    await using _ = lab.start();
    await lab.send(values);
    await until(lab.committed, (offset) => offset === until_);
  };
  await streamed(['nonsense'], 1n);
  await recordSnapshotStart(lab.clickhouse, pipeline);
  await streamed(['nonsense', bad(1, 999), bad(2, 1001)], 4n);
  assert.equal((await lab.letters.outstanding()).get('things'), 4);
  await recordSnapshot(lab.clickhouse, pipeline, {
    ...{ source: 'here', consistentPoint: 1010n, lsn: 1000n, definitionHash: '' },
    tables: [{ table: 'things', target: 'things', rows: 0, bytes: 0 }],
  });
  assert.deepEqual(
    (await lab.letters.find({})).map(({ status }) => status),
    ['superseded', 'outstanding', 'superseded', 'outstanding'],
  );
});
