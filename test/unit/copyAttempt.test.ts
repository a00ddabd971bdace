import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attemptName, leftoversOf } from '../../core/copyAttempt.ts';

test('leftovers are the tables of attempts for this very target, views first', () => {
  const own = attemptName('t', '0123456789ab');
  const names = [own, `${own}_copy`, `${own}_copy_mv`];
  const others = [
    't',
    't_staging',
    't_staging_note',
    't_staging_0123456789abc',
    attemptName('t_staging', 'aaaaaaaaaaaa'),
  ];
  const expected = [`${own}_copy_mv`, `${own}_copy`, own];
  assert.deepEqual(leftoversOf('t', { names: [...others, ...names] }), expected);
  assert.deepEqual(leftoversOf('t', { names, token: '0123456789ab' }), expected);
  assert.deepEqual(leftoversOf('t', { names, token: 'bbbbbbbbbbbb' }), []);
});
