import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { cachedPath, ensureCached } from '../../stack/cache.ts';

let root: string;
let folder: string;
const signal = new AbortController().signal;
const say = (): void => undefined;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'tidegate-cache-'));
  folder = join(root, 'thing-1');
});

afterEach(() => rmSync(root, { recursive: true }));

test('a cached folder is made once, even when several want it at the same time', async () => {
  let made = 0;
  const make = async (into: string): Promise<void> => {
    made++;
    await sleep(20);
    writeFileSync(join(into, 'file'), 'content');
  };
  await Promise.all([1, 2, 3].map(() => ensureCached(folder, { say, signal, make })));
  assert.equal(made, 1);
  assert.equal(readFileSync(join(folder, 'file'), 'utf8'), 'content');
  assert.deepEqual(readdirSync(root), ['thing-1']);
});

test('a failure leaves nothing behind, and the next attempt makes the folder', async () => {
  const fail = async (into: string): Promise<void> => {
    writeFileSync(join(into, 'half'), '');
    throw new Error('no network');
  };
  await assert.rejects(ensureCached(folder, { say, signal, make: fail }), /no network/);
  assert.deepEqual(readdirSync(root), []);
  await ensureCached(folder, { say, signal, make: async () => undefined });
  assert.deepEqual(readdirSync(root), ['thing-1']);
});

test('what a killed process had half made is removed', async () => {
  mkdirSync(`${folder}.tmp-abc`);
  await ensureCached(folder, { say, signal, make: async () => undefined });
  assert.deepEqual(readdirSync(root), ['thing-1']);
});

test('other pinned versions get another folder', () => {
  assert.equal(cachedPath('kafka', ['4.1']), cachedPath('kafka', ['4.1']));
  assert.notEqual(cachedPath('kafka', ['4.1']), cachedPath('kafka', ['4.2']));
  assert.notEqual(cachedPath('x', ['ab', 'c']), cachedPath('x', ['a', 'bc']));
});
