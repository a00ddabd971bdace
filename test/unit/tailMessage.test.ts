import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readTailed } from '../../core/tailMessage.ts';

const read = (text: string, kind: 'changes' | 'events') => readTailed(Buffer.from(text), kind);

test('a message is shown with every digit of its numbers', () => {
  const event = '{"id":9223372036854775807,"amount":1.10,"big":12345678901234567890.123,"list":[1e5,null,true,"5"]}';
  assert.equal(JSON.stringify(read(event, 'events')?.after), event);
  const change = read(
    `{"op":"u","before":{"n":1.0},"after":{"n":9007199254740993},"source":{"ts_ms":1714979289123}}`,
    'changes',
  );
  assert.equal(JSON.stringify([change?.before, change?.after]), '[{"n":1.0},{"n":9007199254740993}]');
  assert.deepEqual([change?.op, change?.committedMs], ['update', 1714979289123]);
});

test('what is no message of its kind is said to be none, or shown as far as it goes', () => {
  assert.equal(read('{"id":', 'events'), null);
  assert.deepEqual(read('{}', 'changes'), { op: 'undefined', committedMs: null, before: null, after: null });
  assert.equal(read('{"op":"t","source":{"ts_ms":5}}', 'changes')?.op, 'truncate');
});
