import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, test } from 'node:test';
import { tryLock, waitForLock } from '../../stack/lock.ts';

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tidegate-lock-'));
  path = join(folder, 'lock');
});

afterEach(() => rmSync(folder, { recursive: true }));

test('a lock that is held names its holder, and is free after its release', () => {
  const lock = tryLock(path);
  assert.ok('release' in lock);
  const refused = tryLock(path);
  assert.ok('pid' in refused);
  assert.equal(refused.pid, process.pid);
  lock.release();
  assert.deepEqual(readdirSync(folder), []);
  assert.ok('release' in tryLock(path));
});

test('the lock of a process that has gone is taken over', () => {
  writeFileSync(path, `${process.pid} started-before\n`);
  assert.ok('release' in tryLock(path));
});

test('a lock file that a crash left empty is taken over', () => {
  writeFileSync(path, '');
  assert.ok('release' in tryLock(path));
});

test('of many processes that want a stale lock exactly one gets it', async () => {
  writeFileSync(path, `${process.pid} started-before\n`);
  const module = new URL('../../stack/lock.ts', import.meta.url).href;
  const script = `
    const { tryLock } = await import(${JSON.stringify(module)});
    process.stdout.write('ready');
    await new Promise((resolve) => process.stdin.once('data', resolve));
    process.stdout.write('release' in tryLock(${JSON.stringify(path)}) ? ' won' : ' lost');
    await new Promise((resolve) => process.stdin.once('end', resolve).resume());
  `;
  const children = Array.from({ length: 6 }, () =>
    spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['pipe', 'pipe', 'inherit'] }),
  );
  const outputs = children.map((child) => text(child.stdout));
  await Promise.all(children.map((child) => once(child.stdout, 'readable')));
  // All answer before any ends, as the lock of one that has ended would be free again.
  for (const child of children) child.stdin.write('go');
  await Promise.all(children.map((child) => once(child.stdout, 'data')));
  for (const child of children) child.stdin.end();
  const answers = await Promise.all(outputs);
  assert.equal(answers.filter((answer) => answer.endsWith(' won')).length, 1, answers.join());
});

test('waiting for a lock ends when it is released', async () => {
  const first = tryLock(path);
  assert.ok('release' in first);
  let waits = 0;
  const second = await waitForLock(path, {
    waiting: () => {
      waits++;
      first.release();
    },
  });
  assert.equal(waits, 1);
  assert.equal(existsSync(path), true);
  second.release();
  assert.equal(existsSync(path), false);
});
