import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  halve,
  lastLine,
  type MessageBatch,
  nextOffsets,
  type PendingBatch,
  StreamBuffer,
} from '../../core/streamBuffer.ts';

const textOf = (batch: MessageBatch) => Buffer.concat(batch.chunks).toString();

function filled(values: readonly string[], partition = 0): StreamBuffer {
  const buffer = new StreamBuffer();
  for (const [index, text] of values.entries()) {
    const value = Buffer.from(text);
    buffer.append({ partition, offset: String(index), key: null, timestampMs: 0, value, start: text.indexOf('{') });
  }
  buffer.advance(partition, BigInt(values.length));
  return buffer;
}

test('each message becomes a line with its coordinates in front', () => {
  const buffer = filled(['{"a":1}', ' {"b":"ü"}']);
  const batch = buffer.take();
  assert.ok(batch);
  assert.equal(textOf(batch), '{"_partition":0,"_offset":0,"a":1}\n{"_partition":0,"_offset":1,"b":"ü"}\n');
  assert.equal(batch.rows, 2);
  assert.equal(batch.bytes, Buffer.concat(batch.chunks).length);
  assert.deepEqual([...batch.next], [[0, 2n]]);
});

test('taking empties the buffer, and an empty one has nothing to take', () => {
  const buffer = filled(['{"a":1}']);
  buffer.take();
  assert.equal(buffer.empty, true);
  assert.equal(buffer.take(), null);
});

test('offsets alone are something to commit', () => {
  const buffer = new StreamBuffer();
  buffer.advance(3, 7n);
  assert.equal(buffer.empty, false);
  const batch = buffer.take();
  assert.deepEqual([batch?.rows, batch?.chunks.length, [...(batch?.next ?? [])]], [0, 0, [[3, 7n]]]);
});

test('values keep their bytes when they fill many chunks, or one is larger than any', () => {
  const values = Array.from({ length: 3000 }, (_, index) => `{"n":${index},"t":"${'x'.repeat(index % 700)}"}`);
  values.splice(1500, 0, `{"large":"${'y'.repeat(3_000_000)}"}`);
  const batch = filled(values).take();
  assert.ok(batch);
  const expected = values.map((text, index) => `{"_partition":0,"_offset":${index},${text.slice(1)}\n`).join('');
  assert.ok(textOf(batch) === expected);
  assert.equal(batch.bytes, expected.length);
  assert.ok(batch.chunks.length > 2);
});

test('halving keeps every line, in order, down to single ones', () => {
  const leaves: string[] = [];
  const cut = (batch: MessageBatch): void => {
    if (batch.rows === 1) leaves.push(textOf(batch));
    else for (const half of halve(batch)) cut(half);
  };
  const values = ['{"a":1}', `{"large":"${'y'.repeat(500)}"}`, '{"b":2}', '{"c":3}', `{"end":"${'z'.repeat(900)}"}`];
  const batch = filled(values).take();
  assert.ok(batch);
  cut(batch);
  assert.equal(leaves.length, values.length);
  assert.equal(leaves.join(''), textOf(batch));
});

test('the next offsets of a part are read from its lines, for each partition', () => {
  const buffer = new StreamBuffer();
  const value = Buffer.from('{"a":1}');
  for (const [partition, offset] of [
    [0, '5'],
    [1, '90'],
    [0, '6'],
  ] as const) {
    buffer.append({ partition, offset, key: null, timestampMs: 0, value, start: 0 });
  }
  buffer.advance(0, 7n);
  const batch = buffer.take();
  assert.ok(batch);
  assert.deepEqual(
    [...nextOffsets(batch)],
    [
      [0, 7n],
      [1, 91n],
    ],
  );
});

test('the last line is found across chunks, and is null when there is none', () => {
  const batch = filled(['{"a":1}', '{"b":2}']).take();
  assert.ok(batch);
  assert.equal(lastLine(batch)?.toString(), '{"_partition":0,"_offset":1,"b":2}');
  assert.equal(lastLine({ chunks: [], rows: 0, bytes: 0 }), null);
});

test('a cleared buffer forgets what it held', () => {
  const buffer = filled(['{"a":1}']);
  buffer.clear();
  assert.deepEqual([buffer.rows, buffer.bytes, buffer.empty], [0, 0, true]);
});

test('what was sent beside the rows is kept for each, and rejected messages stand apart', () => {
  const buffer = new StreamBuffer();
  for (let index = 0; index < 1000; index++) {
    const key = index % 3 === 0 ? null : Buffer.from(`key ${'k'.repeat(index % 50)}`);
    const value = Buffer.from(' {"a":1}');
    buffer.append({
      partition: 0,
      offset: String(index),
      key,
      timestampMs: 1_700_000_000_000 + index,
      value,
      start: 1,
    });
  }
  const value = Buffer.from('nonsense');
  const bad = { partition: 0, offset: 1000n, key: null, timestampMs: 5, value, code: 'NOT_JSON', reason: 'is not' };
  buffer.reject(bad);
  value.fill(0);
  buffer.advance(0, 1001n);
  const held = buffer.bytes;
  const batch = buffer.take();
  assert.ok(batch);
  assert.deepEqual([batch.rows, batch.heldBytes, buffer.bytes], [1000, held, 0]);
  for (const index of [0, 1, 500, 999, 4]) {
    const { key, timestampMs, lead, tail } = batch.origins.at(index);
    assert.equal(key?.toString() ?? null, index % 3 === 0 ? null : `key ${'k'.repeat(index % 50)}`);
    assert.deepEqual([timestampMs, lead.toString(), tail], [1_700_000_000_000 + index, ' ', null]);
  }
  assert.deepEqual(batch.rejected, [{ ...bad, value: Buffer.from('nonsense') }]);
  assert.throws(() => batch.origins.at(1000), RangeError);
});

test('the memory of a batch that has landed is used for what is appended then, and for nothing once all has landed', () => {
  const buffer = new StreamBuffer();
  const text = (round: number, index: number) => `"n":"${String(round).repeat(300 + (index % 50))}"}`;
  const append = (round: number, from: number, to: number) => {
    for (let index = from; index < to; index++) {
      const [key, value] = [Buffer.from(`key ${round} ${index}`), Buffer.from(`{${text(round, index)}`)];
      buffer.append({ partition: 0, offset: String(index), key, timestampMs: round, value, start: 0 });
    }
    buffer.advance(0, BigInt(to));
  };
  const memory = (batch: PendingBatch) => [...batch.chunks, ...batch.origins.close()].map((chunk) => chunk.buffer);
  const rows = 4000;
  append(1, 0, rows);
  let landed = buffer.take()!;
  for (let round = 2; round < 6; round++) {
    append(round, 0, rows / 2);
    const freed = memory(landed);
    buffer.reuse(landed);
    append(round, rows / 2, rows);
    landed = buffer.take()!;
    const lines = Array.from(
      { length: rows },
      (_, index) => `{"_partition":0,"_offset":${index},${text(round, index)}\n`,
    );
    assert.ok(textOf(landed) === lines.join(''));
    assert.ok(memory(landed).some((chunk) => freed.includes(chunk)));
    for (const index of [0, 1999, 2000, 3999]) {
      assert.equal(landed.origins.at(index).key?.toString(), `key ${round} ${index}`);
    }
  }
  const freed = memory(landed);
  buffer.reuse(landed);
  buffer.trim();
  append(6, 0, rows);
  assert.ok(!memory(buffer.take()!).some((chunk) => freed.includes(chunk)));
});
