import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClickHouseError } from '@clickhouse/client';
import { Lander } from '../../activities/runStreamLander.ts';
import type { ClickHouse } from '../../adapters/clickhouse.ts';
import { StreamBuffer } from '../../core/streamBuffer.ts';

/** A lander in front of a ClickHouse that answers so, in turn; null is success. */
function landerTo(answers: readonly (Error | null)[]) {
  const left = [...answers];
  const refused: number[] = [];
  const insert = async () => {
    const answer = left.shift();
    if (answer) throw answer;
    return { readRows: 1 };
  };
  const lander = new Lander({
    ...{ clickhouse: { insert } as unknown as ClickHouse, kind: 'changes', table: 'items', into: 'items_landing' },
    ...{ stopping: new AbortController().signal, onTrouble: () => undefined, onLanded: () => undefined },
    onRefused: async (_row, { index }) => void refused.push(index),
    reread: async () => null,
    onMostRefused: () => assert.fail('one row is not most of a large batch'),
  });
  return { lander, refused };
}

function oneRow() {
  const buffer = new StreamBuffer();
  buffer.append({ partition: 0, offset: '0', key: null, timestampMs: 0, value: Buffer.from('{"a":1}'), start: 0 });
  buffer.advance(0, 1n);
  return buffer.take()!;
}

// An earlier try may still be on its way, so that its bytes must stay: that is what the number is for.
test('says how often a batch was sent', async () => {
  assert.equal(await landerTo([null]).lander.land(oneRow()), 1);
  const reset = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
  assert.equal(await landerTo([reset, null]).lander.land(oneRow()), 2);
  const parsing = new ClickHouseError({
    message: 'Cannot parse',
    code: '27',
    type: 'CANNOT_PARSE_INPUT_ASSERTION_FAILED',
  });
  const { lander, refused } = landerTo([parsing, parsing]);
  const batch = oneRow();
  assert.equal(await lander.land(batch), 1);
  assert.deepEqual(refused, [0]);
});
