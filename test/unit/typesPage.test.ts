import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { TYPE_RULES } from '../../core/typeMapping.ts';
import { typesPage } from '../../core/typesPage.ts';

test('docs/types.md is what the rules say; node scripts/types.ts writes it', () => {
  assert.equal(readFileSync(new URL('../../docs/types.md', import.meta.url), 'utf8'), typesPage());
});

test('the page has one row a rule, each of six cells', () => {
  const rows = typesPage()
    .split('\n')
    .filter((line) => line.startsWith('| '));
  // Head, line below it, and the arrays.
  assert.equal(rows.length, TYPE_RULES.length + 3);
  for (const row of rows) assert.equal(row.split(' | ').length, 6, row);
});
