import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';

/** Which folders each folder may import from, besides itself and npm packages. */
const ALLOWED: Record<string, readonly string[]> = {
  core: [],
  adapters: ['core'],
  pipelines: ['core'],
  workflows: ['core', 'pipelines'],
  stack: ['core'],
  activities: ['core', 'adapters'],
  workers: ['core', 'adapters', 'activities', 'workflows'],
  server: ['core', 'adapters', 'activities', 'workflows', 'pipelines'],
  scripts: ['core', 'adapters', 'activities', 'workflows', 'workers', 'server', 'stack', 'pipelines'],
};

/** Words that belong to one system. Each stands in the code under pipelines/ only. */
const DOMAIN =
  /\b(warehouse|stock|product|region|prosthes[ie]s|telemetry|seller|order_item|user_login)s?\b|stock_balances/i;

const sources = globSync('{core,adapters,pipelines,workflows,activities,workers,server,scripts,stack}/**/*.ts');

test('imports point one way', () => {
  const wrong = sources.flatMap((file) => {
    const folder = file.split('/')[0] as string;
    const imports = [...readFileSync(file, 'utf8').matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)];
    return imports
      .map((match) => relative('.', join(dirname(file), match[1] as string)))
      .filter((target) => target.split('/')[0] !== folder && !ALLOWED[folder]?.includes(target.split('/')[0] as string))
      .map((target) => `${file} imports ${target}`);
  });
  assert.deepEqual(wrong, []);
});

test('names of one system stand under pipelines only', () => {
  const wrong = sources
    .filter((file) => !file.startsWith('pipelines/'))
    .flatMap((file) =>
      readFileSync(file, 'utf8')
        .split('\n')
        .map((line, index) => ({ line, at: `${file}:${index + 1}` }))
        .filter(({ line }) => DOMAIN.test(line) && !/^\s*(\*|\/\/|\/\*\*)/.test(line))
        .map(({ line, at }) => `${at} ${line.trim()}`),
    );
  assert.deepEqual(wrong, []);
});

/** They pass it on to what they start. */
const STARTERS = ['workers/memory.ts'];

test('only the environment adapter and tests read process.env', () => {
  const readers = sources.filter((file) => /process\.env\b/.test(readFileSync(file, 'utf8')));
  assert.deepEqual(
    readers.filter(
      (file) => file !== 'adapters/environment.ts' && !STARTERS.includes(file) && !file.startsWith('stack/'),
    ),
    [],
  );
});
