import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { endProcess, identify, isRunning, readPidFile, signalProcess, writePidFile } from '../../stack/identity.ts';

async function startNode(script: string) {
  const child = spawn(process.execPath, ['-e', `${script}; console.log('up')`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  return { child, identity: identify(child.pid!)! };
}

test('a process is running until it ends, and never again', async () => {
  const { child, identity } = await startNode('setInterval(() => {}, 1000)');
  assert.equal(isRunning(identity), true);
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.equal(isRunning(identity), false);
  assert.equal(identify(identity.pid), undefined);
});

test('a process that got the number of an earlier one is neither taken for it nor signalled', () => {
  const earlier = { pid: process.pid, startedAt: 'before' };
  assert.equal(isRunning(earlier), false);
  assert.equal(signalProcess(earlier, 'SIGKILL'), false);
});

test('a pid file names its process only while that process runs', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tidegate-identity-'));
  const path = join(folder, 'x.pid');
  const { child, identity } = await startNode('setInterval(() => {}, 1000)');
  try {
    writePidFile(path, identity);
    assert.match(readFileSync(path, 'utf8'), new RegExp(`^${identity.pid} `));
    assert.deepEqual(await readPidFile(path), identity);
    child.kill('SIGKILL');
    await once(child, 'exit');
    assert.equal(await readPidFile(path), undefined);
    assert.equal(await readPidFile(join(folder, 'none.pid')), undefined);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a process that does not heed the gentle signal is killed', async () => {
  const { child, identity } = await startNode("process.on('SIGTERM', () => {}); setInterval(() => {}, 1000)");
  const exited = once(child, 'exit');
  await endProcess(identity, [{ signal: 'SIGTERM', graceMs: 50 }]);
  assert.deepEqual(await exited, [null, 'SIGKILL']);
});
