import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { identify, isRunning } from '../../stack/identity.ts';
import { withNeeds } from '../../stack/names.ts';
import { formatProperties } from '../../stack/properties.ts';
import { missingToolsError, run } from '../../stack/tools.ts';

test('a program that fails is reported with the last lines it printed', async () => {
  const script = "for (let i = 1; i <= 40; i++) console.error('line ' + i); process.exit(3)";
  await assert.rejects(run(process.execPath, { args: ['-e', script] }), (error: Error) => {
    assert.match(error.message, /failed \(code 3\)/);
    assert.match(error.message, /^ {2}line 40$/m);
    assert.doesNotMatch(error.message, /line 1\n/);
    return true;
  });
});

test('a program that is not there is reported by name', async () => {
  await assert.rejects(run('no-such-program', { args: [] }), /no-such-program could not be run/);
});

test('giving up ends the program and what it started', async () => {
  const given = new AbortController();
  const inner = 'console.log(process.pid); setInterval(() => {}, 1000)';
  const outer = `require('child_process').spawnSync(process.execPath, ['-e', ${JSON.stringify(inner)}], { stdio: 'inherit' })`;
  const pids: number[] = [];
  const onLine = (line: string): void => {
    pids.push(Number(line));
    given.abort(new Error('enough'));
  };
  await assert.rejects(run(process.execPath, { args: ['-e', outer], signal: given.signal, onLine }), /enough/);
  // What it started has closed its output, and may need another moment to be gone.
  const left = identify(pids[0]!);
  const deadline = Date.now() + 10_000;
  while (left !== undefined && isRunning(left) && Date.now() < deadline) await sleep(20);
  assert.equal(left !== undefined && isRunning(left), false);
});

test('everything that has to be installed is asked for in one message', () => {
  const java = { what: 'Java 17 or later', aptPackage: 'openjdk-17-jre-headless' };
  const error = missingToolsError([java, { what: 'Maven', aptPackage: 'maven' }, java]);
  assert.equal(
    error.line,
    'STACK_FAILED: Java 17 or later and Maven are needed and not installed. ' +
      'On Debian or Ubuntu: apt-get install openjdk-17-jre-headless maven',
  );
});

test('a service brings along what it needs', () => {
  assert.deepEqual(withNeeds(['connect', 'postgres']), ['postgres', 'kafka', 'connect']);
});

test('values of Java properties keep their backslashes', () => {
  assert.equal(formatProperties({ path: 'C:\\kafka', port: 1, on: true }), 'path=C:\\\\kafka\nport=1\non=true\n');
});
