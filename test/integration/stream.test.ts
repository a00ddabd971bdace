import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';
import { loadEnvironment } from '../../adapters/environment.ts';
import { moveGroupToEnds } from '../../adapters/kafka.ts';
import { type ErrorCode, TidegateError } from '../../core/errors.ts';
import { until } from '../workflow/until.ts';
import { createGate, messageOf, openLab, removeMessages } from './streamLab.ts';

const numbers = (count: number, from = 1) => Array.from({ length: count }, (_, index) => from + index);
const changes = (count: number, from = 1) => numbers(count, from).map((id) => messageOf({ id }));
const failing = (code: ErrorCode, pattern: RegExp) => (error: unknown) => {
  assert.ok(error instanceof TidegateError, String(error));
  assert.equal(error.code, code, error.line);
  assert.match(error.line, pattern);
  return true;
};

test('changes land with their exact values, whatever order they arrive in, and only then are committed', async () => {
  await using lab = await openLab();
  await lab.createTarget();
  await using stream = lab.start();
  await lab.send([
    messageOf({ id: 1, name: 'ä "quoted" \\ text', amount: '9223372036854775807' }),
    messageOf({ id: 2, amount: '-9223372036854775808' }),
    null,
    messageOf({ id: 3, name: null, amount: 'null' }),
    messageOf({ id: 4, name: 'newer', op: 'u', lsn: 90_000_000 }),
    messageOf({ id: 4, name: 'older, late', op: 'u', lsn: 80_000_000 }),
    messageOf({ id: 5 }),
    messageOf({ id: 5, op: 'd' }),
    messageOf({ id: 3, op: 'u', name: 'set' }),
  ]);
  await until(lab.committed, (offset) => offset === 9n || false);
  assert.deepEqual(await lab.rows(), [
    { id: '1', name: 'ä "quoted" \\ text', amount: '9223372036854775807' },
    { id: '2', name: 'thing 2', amount: '-9223372036854775808' },
    { id: '3', name: 'set', amount: '1' },
    { id: '4', name: 'newer', amount: '1' },
  ]);
  const beat = await until(stream.beat, (progress) => progress?.tables['things']?.messages === 8);
  assert.deepEqual(beat?.offsets, { [`${lab.topic}:0`]: '9' });
  assert.ok((beat?.tables['things']?.lagMs ?? -1) >= 0);
  assert.match(beat?.tables['things']?.lastLsn ?? '', /^0\/[0-9A-F]+$/);
});

test('a crash between insert and commit repeats the batch, and nothing shows twice', async () => {
  await using lab = await openLab();
  await lab.createTarget();
  await lab.send(changes(2000));
  const crashing = lab.start({
    beforeCommit: async () => {
      throw new Error('crashed before the commit');
    },
  });
  await assert.rejects(crashing.result, /crashed before the commit/);
  assert.ok((await lab.count()) > 0);
  assert.equal(await lab.committed(), undefined);
  await using again = lab.start();
  await until(lab.committed, (offset) => offset === 2000n);
  assert.equal(await lab.count(), 2000);
  again.cancel();
  assert.equal((await again.result).tables['things']?.messages, 2000);
});

test('while ClickHouse is away the stream says so, and loses nothing', async () => {
  using gate = await createGate(loadEnvironment().url('CLICKHOUSE_URL'));
  await using lab = await openLab({ gate });
  await lab.createTarget();
  await lab.send(changes(500));
  await using stream = lab.start();
  await until(stream.beat, (progress) => /is tried again: .+/.test(progress?.problem ?? ''));
  assert.equal(await lab.committed(), undefined);
  await gate.open();
  await until(lab.committed, (offset) => offset === 500n);
  assert.equal(await lab.count(), 500);
  await until(stream.beat, (progress) => progress?.problem === null);
});

test('stopping while ClickHouse is away ends soon and commits nothing', async () => {
  using gate = await createGate(loadEnvironment().url('CLICKHOUSE_URL'));
  await using lab = await openLab({ gate });
  await lab.send(changes(10));
  await using stream = lab.start();
  await until(stream.beat, (progress) => progress?.problem != null);
  stream.cancel();
  assert.equal((await stream.result).tables['things']?.messages, 0);
  assert.equal(await lab.committed(), undefined);
});

test('a column that the target does not know ends the stream before its message is committed', async () => {
  await using lab = await openLab();
  await lab.createTarget();
  await lab.send([messageOf({ id: 1 })]);
  await using stream = lab.start();
  await until(lab.committed, (offset) => offset === 1n);
  await lab.send([messageOf({ id: 2 }).replace('"amount":1', '"amount":1,"extra":2')]);
  await assert.rejects(stream.result, failing('SCHEMA_DRIFT', /changes of things no longer fit its target/));
  assert.equal(await lab.committed(), 1n);
});

test('an insert into too many partitions is split', async () => {
  await using lab = await openLab();
  const [target, ...rest] = lab.ddl;
  await lab.clickhouse.command(target!.replace('ORDER BY', 'PARTITION BY id % 250 ORDER BY'));
  for (const statement of rest) await lab.clickhouse.command(statement);
  await lab.send(changes(500));
  await using stream = lab.start();
  await until(lab.committed, (offset) => offset === 500n);
  assert.equal(await lab.count(), 500);
  stream.cancel();
});

test('cancelling lands and commits what was read, and says how far it came', async () => {
  await using lab = await openLab();
  await lab.createTarget();
  await lab.send(changes(40_000));
  await using stream = lab.start();
  await until(lab.committed, (offset) => offset !== undefined);
  stream.cancel();
  const progress = await stream.result;
  const committed = await lab.committed();
  assert.equal(progress.offsets[`${lab.topic}:0`], String(committed));
  assert.equal(progress.tables['things']?.messages, Number(committed));
  assert.equal(await lab.count(), Number(committed));
});

test('a worker that shuts down ends the stream with a failure that is tried elsewhere', async () => {
  await using lab = await openLab();
  await lab.createTarget();
  await lab.send(changes(10));
  await using stream = lab.start();
  await until(lab.committed, (offset) => offset === 10n);
  stream.cancel('WORKER_SHUTDOWN');
  await assert.rejects(stream.result, (error) => {
    assert.ok(error instanceof ApplicationFailure);
    assert.deepEqual([error.type, error.nonRetryable], ['WORKER_SHUTDOWN', false]);
    return true;
  });
});

test('two runs of one stream side by side are harmless', async () => {
  await using lab = await openLab({ partitions: 2 });
  await lab.createTarget();
  await using first = lab.start();
  await lab.send(changes(3000));
  await until(lab.committed, (offset) => offset !== undefined);
  await using second = lab.start();
  await lab.send(changes(3000, 3001), 1);
  await lab.send(changes(3000, 6001));
  const both = async () => [await lab.committed(0), await lab.committed(1)].map(Number);
  await until(both, ([zero, one]) => zero === 6000 && one === 3000);
  assert.equal(await lab.count(), 9000);
  first.cancel();
  await first.result;
  await lab.send(changes(100, 9001));
  await until(both, ([zero]) => zero === 6100);
  assert.equal(await lab.count(), 9100);
  second.cancel();
});

test('messages removed before they were read end the stream before it starts', async () => {
  await using lab = await openLab();
  await lab.createTarget();
  await moveGroupToEnds(lab.kafka, { group: lab.group, topics: [lab.topic] });
  await lab.send(changes(10));
  await removeMessages(lab.kafka, lab.topic, 5);
  await assert.rejects(lab.start().result, failing('OFFSET_LOST', /is read up to 0 but begins at 5/));
  assert.equal(await lab.committed(), 0n);
  assert.equal(await lab.count(), 0);
});

test('messages removed while the stream is behind end it, and its offset is never reset', async () => {
  using gate = await createGate(loadEnvironment().url('CLICKHOUSE_URL'));
  await using lab = await openLab({ gate });
  await lab.createTarget();
  const long = 'x'.repeat(1000);
  await lab.send(numbers(50_000).map((id) => messageOf({ id, name: long })));
  await using stream = lab.start();
  await until(stream.beat, (progress) => progress?.problem != null);
  await removeMessages(lab.kafka, lab.topic, 49_999);
  await gate.open();
  await assert.rejects(stream.result, failing('OFFSET_LOST', /is read up to \d+ but begins at 49999/));
  const committed = Number((await lab.committed()) ?? -1n);
  assert.ok(committed < 49_999, String(committed));
  assert.ok((await lab.count()) >= committed);
});
