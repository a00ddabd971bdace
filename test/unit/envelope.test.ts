import assert from 'node:assert/strict';
import { test } from 'node:test';
import { columnNames, coordinatesOf, defectOf, linePrefix, objectStart, sourceMarks } from '../../core/envelope.ts';

const bytes = (text: string) => Buffer.from(text);

test('an object begins at its first brace, after blanks', () => {
  assert.equal(objectStart(bytes('{"a":1}')), 0);
  assert.equal(objectStart(bytes(' \t\r{"a":1}')), 3);
});

test('what is not one object on one line is refused with the reason', () => {
  for (const text of ['', '   ', '[1]', '"text"', 'null', 'x{"a":1}']) {
    assert.equal(objectStart(bytes(text)), -1, text);
    assert.deepEqual(defectOf(bytes(text)), { code: 'NOT_JSON', reason: 'is not a JSON object' });
  }
  for (const text of ['{"a":1}\n', '{"a":1}\n{"a":2}', '\n{"a":1}', '{\n}']) {
    assert.equal(objectStart(bytes(text)), -1, text);
    assert.deepEqual(defectOf(bytes(text)), { code: 'RAW_LINE_BREAK', reason: 'holds a raw line break' });
  }
});

test('coordinates are read back as they were written, beyond 2^53 too', () => {
  const line = bytes(`${linePrefix(12)}9223372036854775807,"op":"c"}`);
  assert.deepEqual(coordinatesOf(line), { partition: 12, offset: 9223372036854775807n });
});

test('a line without coordinates is an error', () => {
  assert.throws(() => coordinatesOf(bytes('{"op":"c"}')), /lacks its coordinates/);
});

test('commit time and LSN come from the source block, exactly', () => {
  const after = { id: 1, note: 'a "source":{"ts_us":5,"lsn":6} in a text', ts_us: 7 };
  const source =
    '{"version":"3","ts_ms":1790000000123,"sequence":"[\\"1\\",\\"2\\"]","ts_us":1790000000123999,"lsn":18446744073709551615}';
  const line = bytes(
    `{"before":null,"after":${JSON.stringify(after)},"source":${source},"op":"c","ts_us":1790000000999000}`,
  );
  assert.deepEqual(sourceMarks(line), { commitMs: 1790000000123, lsn: 18446744073709551615n });
});

test('a message without a source block has no marks', () => {
  assert.deepEqual(sourceMarks(bytes('{"op":"c","ts_ms":5}')), { commitMs: null, lsn: null });
  assert.deepEqual(sourceMarks(bytes('{"source":{"snapshot":"false"},"lsn":1}')).commitMs, null);
});

test('the names of columns are those of the one row that a message tells of', () => {
  const names = (message: object) => columnNames(bytes(JSON.stringify(message)));
  assert.deepEqual(names({ before: { id: 1, a: null }, after: null }), ['id', 'a']);
  assert.deepEqual(names({ before: { id: 1, a: null }, after: { id: 1, a: 'x' } }), ['id', 'a']);
  assert.equal(names({ before: { id: 1 }, after: { id: 1, a: 'x' } }), null);
  for (const message of [{}, { after: null }, { after: 7, before: 'text' }]) assert.equal(names(message), null);
  assert.equal(columnNames(bytes('{"after":{"id":1}')), null);
});
