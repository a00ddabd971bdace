import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Home, loadCredentials, openHome, pidFile } from '../../stack/home.ts';
import { identify } from '../../stack/identity.ts';
import { fixedPorts } from '../../stack/ports.ts';
import type { Service, ServiceContext } from '../../stack/service.ts';
import { Supervisor } from '../../stack/supervisor.ts';

let home: Home;
let said: string[];
let context: ServiceContext;

beforeEach(() => {
  home = openHome(mkdtempSync(join(tmpdir(), 'tidegate-supervisor-')));
  said = [];
  const say = (what: string): void => {
    said.push(what);
  };
  const signal = new AbortController().signal;
  context = { home, ports: fixedPorts, credentials: loadCredentials(home), say, signal, reportGrants: [] };
});

afterEach(() => rmSync(home.path, { recursive: true }));

function nodeService(script: string, check: () => Promise<void> = async () => undefined): Service {
  return {
    name: 'sample',
    missingTools: async () => [],
    prepare: async () => ({ file: process.execPath, args: ['-e', script] }),
    check,
    ending: [{ signal: 'SIGTERM', graceMs: 5000 }],
    env: () => ({}),
  };
}

async function eventually(condition: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!condition()) {
    assert.ok(Date.now() < deadline, `${what}; said: ${said.join(' | ')}`);
    await sleep(20);
  }
}

const deathCount = (): number => said.filter((line) => line.startsWith('died')).length;
const readyCount = (): number => said.filter((line) => line.startsWith('ready')).length;

test('a service that dies is started again, with longer pauses, and says so', async () => {
  const supervisor = new Supervisor(nodeService('setInterval(() => {}, 1000)'), context);
  await supervisor.start();
  const first = supervisor.pid;
  supervisor.signal('SIGKILL');
  await eventually(() => readyCount() === 2, 'not started again');
  assert.notEqual(supervisor.pid, first);
  supervisor.signal('SIGKILL');
  await eventually(() => readyCount() === 3, 'not started a third time');
  const deaths = said.filter((line) => line.startsWith('died'));
  assert.deepEqual(deaths, [
    'died: it got SIGKILL; starting it again in 0.5 s',
    'died: it got SIGKILL; starting it again in 1 s',
  ]);
  await supervisor.stop();
});

test('a service that cannot start is reported with the end of its log, and leaves no pid file', async () => {
  const check = async (): Promise<void> => Promise.reject(new Error('not yet'));
  const service = nodeService("console.error('no space left'); process.exitCode = 7", check);
  const supervisor = new Supervisor(service, context);
  await assert.rejects(supervisor.start(), /did not start: it exited with code 7\n {2}no space left$/);
  assert.equal(existsSync(pidFile(home, 'sample')), false);
});

test('stopping ends the process, removes its pid file and is no death', async () => {
  const supervisor = new Supervisor(nodeService('setInterval(() => {}, 1000)'), context);
  await supervisor.start();
  const { pid } = supervisor;
  assert.equal(existsSync(pidFile(home, 'sample')), true);
  await supervisor.stop();
  assert.equal(identify(pid), undefined);
  assert.equal(existsSync(pidFile(home, 'sample')), false);
  assert.equal(
    said.some((line) => line.startsWith('died')),
    false,
  );
});

test('a restart during the pause after a death replaces the start that was to come', async () => {
  const supervisor = new Supervisor(nodeService('setInterval(() => {}, 1000)'), context);
  await supervisor.start();
  supervisor.signal('SIGKILL');
  await eventually(() => deathCount() === 1, 'death not seen');
  await supervisor.restart();
  assert.equal(readyCount(), 2);
  supervisor.signal('SIGKILL');
  await eventually(() => readyCount() === 3, 'not watched after the restart');
  assert.equal(deathCount(), 2);
  await supervisor.stop();
});

test('stopping while the service starts gives up the start', async () => {
  const check = async (): Promise<void> => Promise.reject(new Error('not yet'));
  const supervisor = new Supervisor(nodeService('setInterval(() => {}, 1000)', check), context);
  const start = supervisor.start();
  const outcome = start.then(
    () => 'started',
    () => 'given up',
  );
  await eventually(() => supervisor.pid !== 0, 'no process');
  const { pid } = supervisor;
  await supervisor.stop();
  assert.equal(await outcome, 'given up');
  assert.equal(identify(pid), undefined);
});
