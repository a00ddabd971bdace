import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isolate, mostAreBad, sampleIsBad } from '../../core/isolate.ts';
import type { MessageBatch } from '../../core/streamBuffer.ts';

function batchOf(words: readonly string[]): MessageBatch {
  const bytes = Buffer.from(words.map((word) => `${word}\n`).join(''));
  return { chunks: [bytes], rows: words.length, bytes: bytes.length };
}

const wordsOf = (batch: MessageBatch) => Buffer.concat(batch.chunks).toString().slice(0, -1).split('\n');
const attempt = async (part: MessageBatch) => (wordsOf(part).some((word) => word.startsWith('bad')) ? 'refused' : null);

test('each row is settled once, in order, and each bad one stands alone with its position', async () => {
  for (const words of [
    ['bad'],
    ['good'],
    ['bad', 'good'],
    ['good', 'bad 1', 'bad 2', 'good', 'good', 'bad 5'],
    Array.from({ length: 1000 }, (_, index) => (index % 97 === 13 ? `bad ${index}` : `good ${'x'.repeat(index % 40)}`)),
  ]) {
    const settled: string[] = [];
    const refused: number[] = [];
    await isolate(batchOf(words), {
      attempt,
      onLanded: (part) => settled.push(...wordsOf(part)),
      onRefused: (row, { index }) => {
        settled.push(...wordsOf(row));
        refused.push(index);
      },
    });
    assert.deepEqual(settled, words);
    assert.deepEqual(
      refused,
      words.flatMap((word, index) => (word.startsWith('bad') ? [index] : [])),
    );
  }
});

test('one bad row among many costs few attempts', async () => {
  let attempts = 0;
  const words = Array.from({ length: 4096 }, (_, index) => (index === 2000 ? 'bad!' : 'good'));
  await isolate(batchOf(words), {
    attempt: async (part) => {
      attempts++;
      return await attempt(part);
    },
    onLanded: () => undefined,
    onRefused: () => undefined,
  });
  assert.ok(attempts <= 2 * 12 + 1, String(attempts));
});

test('most are bad when it is more than half of at least twenty', () => {
  assert.deepEqual(
    [
      [19, 19],
      [10, 20],
      [11, 20],
      [1, 2],
      [26, 50],
    ].map(([bad, all]) => mostAreBad(bad!, all!)),
    [false, false, true, false, true],
  );
});

test('a sample tells a batch that is bad from one with bad rows in it', async () => {
  const words = (bad: (index: number) => boolean) =>
    batchOf(Array.from({ length: 1000 }, (_, index) => (bad(index) ? 'bad' : 'good')));
  assert.equal(
    await sampleIsBad(
      words(() => true),
      attempt,
    ),
    true,
  );
  assert.equal(
    await sampleIsBad(
      words((index) => index % 3 > 0),
      attempt,
    ),
    false,
  );
  assert.equal(await sampleIsBad(batchOf(Array(100).fill('bad')), attempt), false);
});
