import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EnvelopeCut, restored } from '../../core/envelopeCut.ts';
import { StreamBuffer } from '../../core/streamBuffer.ts';

const FIELDS = ['version', 'connector', 'name', 'ts_ms', 'snapshot', 'db', 'sequence', 'ts_ns', 'schema', 'table'];

/** A message as Debezium 3 writes it. */
function message(after: string, { lsn = '26714856', table = 'items' } = {}): string {
  return (
    `{"before":null,"after":${after},"source":{"version":"3.3.1.Final","connector":"postgresql","name":"shop",` +
    `"ts_ms":1795254587320,"snapshot":"false","db":"shop","sequence":"[\\"${lsn}\\",\\"${lsn}\\"]",` +
    `"ts_us":1795254587320061,"ts_ns":1795254587320061000,"schema":"public","table":${JSON.stringify(table)},` +
    `"txId":817,"lsn":${lsn},"xmin":null},"transaction":null,"op":"u",` +
    '"ts_ms":1795254588625,"ts_us":1795254588625101,"ts_ns":1795254588625101002}'
  );
}

/** What is sent on, and the origin that is kept. */
function sent(value: string | Buffer, buffer = new StreamBuffer()) {
  const bytes = Buffer.from(value);
  buffer.append({ partition: 3, offset: '12', key: null, timestampMs: 0, value: bytes, start: bytes.indexOf('{') });
  buffer.advance(3, 13n);
  const batch = buffer.take()!;
  const line = Buffer.concat(batch.chunks);
  assert.equal(line.at(-1), 0x0a);
  const begin = line.indexOf(',', line.indexOf(',') + 1) + 1;
  const rest = Buffer.concat([Buffer.from('{'), line.subarray(begin, -1)]);
  const { lead, tail } = batch.origins.at(0);
  return { rest, tail, whole: Buffer.concat([lead, restored(rest, tail)]) };
}

/** The message without the fields that are cut. */
function withoutFields(value: string): unknown {
  const { ts_ms: _ms, ts_us: _us, ts_ns: _ns, source, ...others } = JSON.parse(value);
  const kept = Object.entries(source).filter(([name]) => !FIELDS.includes(name));
  return { ...others, source: Object.fromEntries(kept) };
}

const ROWS = [
  '{"id":1,"name":"plain"}',
  '{"id":1,"name":"a quote \\", a brace } and {"}',
  JSON.stringify({ id: 1, name: ',"source":{"txId":1,"ts_us":5,"ts_ns":6}' }),
  '{"source":"a column","txId":5,"ts_us":6,"ts_ns":7,"lsn":8}',
  'null',
];

for (const row of ROWS) {
  test(`keeps the row, the commit time, the transaction and the LSN beside ${row}`, () => {
    const value = message(row);
    const { rest, whole } = sent(value);
    assert.deepEqual(JSON.parse(rest.toString()), withoutFields(value));
    assert.equal(whole.toString(), value);
    assert.ok(rest.length < value.length - 200);
  });
}

test('gives back every byte of a message with blanks before it', () => {
  const value = ` \t${message(ROWS[0]!)}`;
  assert.equal(sent(value).whole.toString(), value);
});

test('finds the parts also where numbers and names get longer', () => {
  const buffer = new StreamBuffer();
  for (const lsn of ['9', '99999', '18446744073709551615', '7']) {
    for (const table of ['t', 'a "quoted" name', 'ünïcode']) {
      const value = message(ROWS[1]!, { lsn, table });
      const { rest, whole } = sent(value, buffer);
      assert.deepEqual(JSON.parse(rest.toString()).source.lsn, JSON.parse(value).source.lsn);
      assert.ok(rest.length < value.length - 200);
      assert.equal(whole.toString(), value);
    }
  }
});

test('leaves a message whole that is laid out otherwise', () => {
  const usual = message(ROWS[0]!);
  for (const value of [
    '{}',
    '{"op":"c"}',
    usual.replace('"transaction":null', '"transaction":{"id":"1"}'),
    usual.replace('"db":"shop"', '"db":"a } brace"'),
    usual.replace('"snapshot":"false"', '"snapshot":{"a":1}'),
    usual.replace(',"ts_ns":1795254588625101002', ''),
    usual.replace('"op":"u"', '"op":"update"'),
    usual.replace('"txId":817,', ''),
    `${usual} `,
    usual.slice(0, -1),
    usual.slice(90),
  ]) {
    assert.equal(new EnvelopeCut().find(Buffer.from(value)), false, value);
  }
});

test('never changes a message whatever its bytes are: a changed row stays changed, and all can be given back', () => {
  let state = 20_240_117;
  const next = (below: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % below;
  };
  const alphabet = Buffer.from('{}",:\\0aost_u');
  const buffer = new StreamBuffer();
  let cut = 0;
  for (let round = 0; round < 20_000; round++) {
    const value = Buffer.from(message(ROWS[next(ROWS.length)]!));
    for (let changes = next(4); changes > 0; changes--) value[next(value.length)] = alphabet[next(alphabet.length)]!;
    if (value[0] !== 0x7b) continue;
    const { rest, whole, tail } = sent(value, buffer);
    assert.ok(whole.equals(value));
    if (tail === null) continue;
    cut++;
    const text = value.toString('latin1');
    if (!isJson(text)) continue;
    const [before, after] = [JSON.parse(text), JSON.parse(rest.toString('latin1'))];
    assert.deepEqual([after.before, after.after, after.op], [before.before, before.after, before.op]);
    assert.deepEqual([after.source.lsn, after.source.txId], [before.source.lsn, before.source.txId]);
  }
  assert.ok(cut > 5000, `only ${cut} were cut`);
});

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
