import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadEnvironment } from '../../adapters/environment.ts';
import { type ErrorCode, TidegateError } from '../../core/errors.ts';
import { until } from '../workflow/until.ts';
import { createGate, messageOf, openLab } from './streamLab.ts';

const numbers = (count: number, from = 1) => Array.from({ length: count }, (_, index) => from + index);
const changes = (count: number, from = 1) => numbers(count, from).map((id) => messageOf({ id }));
const failing = (code: ErrorCode, pattern: RegExp) => (error: unknown) => {
  assert.ok(error instanceof TidegateError, String(error));
  assert.equal(error.code, code, error.line);
  assert.match(error.line, pattern);
  return true;
};

const good = (id: number) => messageOf({ id });
const BAD: Record<string, { value: string; code: RegExp; reason: RegExp }> = {
  'is not JSON': { value: 'not JSON', code: /^NOT_JSON$/, reason: /is not a JSON object/ },
  'is empty': { value: '', code: /^NOT_JSON$/, reason: /is not a JSON object/ },
  'is a JSON array': { value: '[1,2]', code: /^NOT_JSON$/, reason: /is not a JSON object/ },
  'is JSON but no change of a row': { value: '{"hello":1}', code: /./, reason: /op: not an operation/ },
  'has an unknown operation': { value: good(9).replace('"op":"c"', '"op":"x"'), code: /./, reason: /op: not an op/ },
  'has no LSN': { value: good(9).replace(/,"lsn":\d+/, ''), code: /./, reason: /without an LSN/ },
  'has a value of a wrong type': { value: messageOf({ id: 9, amount: '"x"' }), code: /CANNOT/, reason: /refused/ },
  'has a value out of range': {
    value: messageOf({ id: 9, amount: '9223372036854775808' }),
    code: /./,
    reason: /refused/,
  },
  'has a fraction for an integer': { value: messageOf({ id: 9, amount: '1.5' }), code: /./, reason: /refused/ },
  'lacks its key': { value: messageOf({ id: 9 }).replace('"id":9', '"id":null'), code: /./, reason: /column id: NULL/ },
  'holds two objects': { value: `${good(9)}${good(10)}`, code: /./, reason: /a further value in one message/ },
  'holds two objects and a comma': { value: `${good(9)},${good(10)}`, code: /./, reason: /a further value/ },
  'holds two lines': { value: `${good(9)}\n${good(10)}`, code: /^RAW_LINE_BREAK$/, reason: /holds a raw line break/ },
  'is cut off': { value: good(9).slice(0, -20), code: /./, reason: /refused/ },
  'is cut off within a text': { value: good(9).slice(0, 60), code: /./, reason: /refused/ },
};

test('a bad message of any kind is kept with its bytes, and those around it land', async () => {
  await using lab = await openLab();
  await lab.createTarget();
  const kinds = Object.entries(BAD);
  const values = kinds.flatMap(([, { value }], index) => [...changes(3, 100 + 10 * index), value]);
  await lab.send([...values, ...changes(100, 1000)]);
  await using stream = lab.start();
  await until(lab.committed, (offset) => offset === BigInt(values.length + 100));
  assert.equal(await lab.count(), 3 * kinds.length + 100);
  const letters = await lab.letters.find({});
  assert.equal(letters.length, kinds.length);
  for (const [index, [kind, { value, code, reason }]] of kinds.entries()) {
    const letter = letters[index]!;
    assert.equal(letter.offset, BigInt(4 * index + 3), kind);
    assert.equal(letter.value.toString(), value, kind);
    assert.match(letter.code, code, kind);
    assert.match(letter.reason, reason, kind);
    assert.deepEqual([letter.key?.toString(), letter.status, letter.table], ['k', 'outstanding', 'things'], kind);
    assert.ok(Math.abs(letter.timestampMs - Date.now()) < 600_000);
  }
  assert.equal(
    (await until(stream.beat, (beat) => beat?.tables['things']?.deadLetters === kinds.length)) !== undefined,
    true,
  );
});

test('bytes that are not UTF-8 are kept as they are', async () => {
  await using lab = await openLab();
  await lab.createTarget();
  const value = Buffer.from([0xff, 0x00, 0x80, 0x22, 0x0a, 0xc3]);
  await lab.send([value, messageOf({ id: 1 })]);
  await using _ = lab.start();
  await until(lab.committed, (offset) => offset === 2n);
  assert.deepEqual((await lab.letters.find({}))[0]?.value, value);
});

test('bad messages scattered over a large batch are all found', async () => {
  await using lab = await openLab();
  await lab.createTarget();
  const bad = (id: number) => id % 601 === 0;
  await lab.send(numbers(3000).map((id) => messageOf({ id, amount: bad(id) ? '"x"' : '1' })));
  await using _ = lab.start();
  await until(lab.committed, (offset) => offset === 3000n);
  const letters = await lab.letters.find({});
  assert.deepEqual(
    letters.map(({ offset }) => Number(offset) + 1),
    numbers(3000).filter(bad),
  );
  assert.equal(await lab.count(), 3000 - letters.length);
});

test('a crash before or after dead letters are kept repeats them onto themselves', async () => {
  await using lab = await openLab();
  await lab.createTarget();
  await lab.send([...changes(30), 'nonsense', messageOf({ id: 31, amount: '"x"' }), ...changes(30, 40)]);
  const crash = async () => {
    throw new Error('crashed');
  };
  await assert.rejects(lab.start({ beforeKeeping: crash }).result, /crashed/);
  assert.deepEqual([await lab.committed(), (await lab.letters.find({})).length], [undefined, 0]);
  await assert.rejects(lab.start({ beforeCommit: crash }).result, /crashed/);
  const before = await lab.letters.find({});
  assert.deepEqual([await lab.committed(), before.length], [undefined, 2]);
  await using _ = lab.start();
  await until(lab.committed, (offset) => offset === 62n);
  assert.deepEqual(await lab.letters.find({}), before);
  assert.equal(await lab.count(), 60);
});

test('while dead letters cannot be kept nothing beyond them is committed', async () => {
  await using lab = await openLab();
  await lab.createTarget();
  const table = `${lab.name}.dead_letters`;
  await lab.clickhouse.command(`RENAME TABLE ${table} TO ${table}_away`);
  await lab.send([...changes(5), 'nonsense', ...changes(5, 6)]);
  await using stream = lab.start();
  await until(stream.beat, (beat) => /keeping dead letters has failed \d/.test(beat?.problem ?? ''));
  assert.equal(await lab.committed(), undefined);
  await lab.clickhouse.command(`RENAME TABLE ${table}_away TO ${table}`);
  await until(lab.committed, (offset) => offset === 11n);
  assert.equal((await lab.letters.find({})).length, 1);
});

test('a stream that may have no dead letters stops right before the first bad message', async () => {
  await using lab = await openLab({ stopAfter: 0 });
  await lab.createTarget();
  await lab.send([...changes(700), messageOf({ id: 701, amount: '"x"' }), 'nonsense', ...changes(300, 702)]);
  await assert.rejects(
    lab.start().result,
    failing('BAD_MESSAGE', new RegExp(`${lab.topic}:0 at offset 700 for things`)),
  );
  assert.equal(await lab.committed(), 700n);
  assert.equal((await lab.letters.find({})).length, 0);
});

test('the limit counts all outstanding dead letters, over restarts', async () => {
  await using lab = await openLab({ stopAfter: 2 });
  await lab.createTarget();
  await lab.send(['bad 1', messageOf({ id: 1 }), 'bad 2']);
  await using first = lab.start();
  await until(lab.committed, (offset) => offset === 3n);
  first.cancel();
  await first.result;
  await lab.send([messageOf({ id: 2 }), 'bad 3', messageOf({ id: 3 })]);
  await assert.rejects(
    lab.start().result,
    failing('BAD_MESSAGE', /offset 4 for things .*allows 2 .* 2 are outstanding/),
  );
  assert.equal(await lab.committed(), 4n);
});

for (const [count, what] of [
  [50, 'a small batch'],
  [20_000, 'a large batch'],
] as const) {
  test(`when most of ${what} is bad the stream stops and sets nothing aside`, async () => {
    await using lab = await openLab();
    await lab.createTarget();
    await lab.send([...changes(10), ...numbers(count, 11).map((id) => messageOf({ id, amount: '"x"' }))]);
    await assert.rejects(lab.start().result, failing('BAD_MESSAGE', /messages of one batch .* cannot be loaded/));
    assert.ok([undefined, 10n].includes(await lab.committed()));
    assert.equal((await lab.letters.find({})).length, 0);
  });
}

test('a target that no longer matches its source stops the stream instead', async () => {
  await using lab = await openLab();
  await lab.createTarget();
  await lab.send([...changes(5), messageOf({ id: 6, amount: '"x"' }), ...changes(5, 7)]);
  const drift = new TidegateError('SCHEMA_DRIFT', 'columns changed', { remedy: 'Wait.' });
  const stream = lab.start({
    checkDrift: async () => {
      throw drift;
    },
  });
  await assert.rejects(stream.result, failing('SCHEMA_DRIFT', /columns changed/));
  assert.equal(await lab.committed(), 5n);
  assert.equal((await lab.letters.find({})).length, 0);
});

test('ClickHouse going away while bad messages are sought loses none', async () => {
  using gate = await createGate(loadEnvironment().url('CLICKHOUSE_URL'));
  await using lab = await openLab({ gate });
  await lab.createTarget();
  await lab.send([...changes(100), messageOf({ id: 101, amount: '"x"' }), 'nonsense', ...changes(100, 102)]);
  await using stream = lab.start();
  await until(stream.beat, (beat) => beat?.problem != null);
  await gate.open();
  await until(lab.committed, (offset) => offset === 202n);
  assert.deepEqual([await lab.count(), (await lab.letters.find({})).length], [200, 2]);
});
