import assert from 'node:assert/strict';
import { test } from 'node:test';
import kafkajs from 'kafkajs';
import { DeadLetters } from '../../activities/deadLetters.ts';
import { replayDeadLetter } from '../../activities/deadLettersReplay.ts';
import { applyPlan, planPipeline } from '../../activities/planPipeline.ts';
import { prepareStream } from '../../activities/prepareStream.ts';
import { runStream } from '../../activities/runStream.ts';
import type { StreamSeams } from '../../activities/runStreamSession.ts';
import { verifyTables } from '../../activities/verifyTables.ts';
import { waitForEvents } from '../../activities/watermark.ts';
import { deleteTopics, openKafka } from '../../adapters/kafka.ts';
import type { StreamProgress, VerifyReport } from '../../core/activityTypes.ts';
import type { PipelineInput } from '../../core/definition.ts';
import { TidegateError } from '../../core/errors.ts';
import { chIdentifier } from '../../core/identifiers.ts';
import { depsFor, startActivity, uniqueName } from './streamSupport.ts';

async function openLab(changes: Partial<NonNullable<PipelineInput['events']>[string]> = {}) {
  const name = uniqueName('events');
  const input: PipelineInput = {
    ...{ name, source: 'UNUSED_URL' },
    events: {
      readings: {
        ...{ topic: `${name}.readings`, partitions: 2, key: ['id'], partitionBy: { month: 'taken_at' } },
        columns: {
          id: { type: 'UUID', from: 'event_id' },
          taken_at: { type: 'DateTime64(3)' },
          sent_at: { type: 'DateTime', from: 'sent', epoch: 'seconds', optional: true },
          amount: { type: 'Decimal(10, 3)' },
          total: { type: 'UInt64' },
          note: { type: 'String', optional: true },
        },
        ...changes,
      },
    },
  };
  const deps = depsFor(input);
  const { topic } = deps.pipeline.events[0]!;
  const kafka = openKafka(deps.environment);
  const apply = async () => applyPlan(await planPipeline(deps, name));
  await apply();
  const producer = kafka.producer({ createPartitioner: kafkajs.Partitioners.LegacyPartitioner });
  await producer.connect();
  const { clickhouse, pipeline } = deps;
  const database = chIdentifier(name);
  return {
    ...{ name, deps, clickhouse, database, apply, input },
    letters: new DeadLetters(clickhouse, pipeline),
    send: async (values: readonly string[], partition = 0) => {
      await producer.send({ topic, messages: values.map((value) => ({ key: 'k', value, partition })) });
    },
    start: (seams: StreamSeams = {}) =>
      startActivity<StreamProgress, StreamProgress>(() => runStream(deps, seams).runStream(name)),
    landed: () => waitForEvents(deps, { pipeline, signal: AbortSignal.timeout(60_000) }),
    rows: (what = 'total') =>
      clickhouse.rows<Record<string, unknown>>(`SELECT ${what} FROM ${database}.readings_current ORDER BY total`),
    async [Symbol.asyncDispose]() {
      await producer.disconnect();
      await clickhouse.command(`DROP DATABASE ${database} SYNC`);
      await clickhouse.close();
      await deleteTopics(kafka, [topic]);
    },
  };
}

const refusedFor = (reason: RegExp) => (error: unknown) => error instanceof TidegateError && reason.test(error.line);

test('verify waits for what is in the topic, and finds an event that is there twice', async () => {
  await using lab = await openLab();
  const verify = (patienceMs = 60_000) =>
    startActivity<VerifyReport, unknown>(() => verifyTables(lab.deps, patienceMs).verifyTables(lab.name)).result;
  await lab.send([reading(1), reading(2), reading(1)]);
  await assert.rejects(verify(500), refusedFor(/3 messages wait in Kafka/));
  await using _stream = lab.start();
  const shown = ({ tables }: VerifyReport) =>
    tables.map(({ table, load, sourceRows, targetRows, equal, differences }) => ({
      ...{ table, load, sourceRows, targetRows, equal, differences },
    }));
  const readings = { table: 'readings', load: 'events', sourceRows: null, targetRows: 2, equal: true, differences: [] };
  assert.deepEqual(shown(await verify()), [readings]);
  await lab.clickhouse.command(
    `CREATE OR REPLACE VIEW ${lab.database}.readings_current AS SELECT * FROM ${lab.database}.readings UNION ALL SELECT * FROM ${lab.database}.readings`,
  );
  const [twice] = (await verify()).tables;
  assert.deepEqual([twice?.equal, twice?.differences.length], [false, 2]);
});

test('events that Kafka has removed stop the stream, and it goes on behind them when an operator wants that', async () => {
  await using lab = await openLab();
  await lab.send([reading(1)]);
  const first = lab.start();
  await lab.landed();
  first.cancel();
  await first.result;
  await lab.send([reading(2), reading(3), reading(4)]);
  const admin = openKafka(lab.deps.environment).admin();
  await admin.connect();
  const { topic } = lab.deps.pipeline.events[0]!;
  await admin.fetchTopicOffsets(topic);
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '3' }] });
  await admin.disconnect();
  const lost =
    /OFFSET_LOST: events were lost .*:0 is read up to 1 but begins at 3 by now. Resume the stream, which then goes on/;
  await assert.rejects(lab.start().result, refusedFor(lost));
  await prepareStream(lab.deps).prepareStream(lab.name);
  await assert.rejects(lab.start().result, refusedFor(lost));
  await prepareStream(lab.deps).prepareStream(lab.name, true);
  await using _stream = lab.start();
  await lab.landed();
  assert.deepEqual(
    (await lab.rows()).map(({ total }) => total),
    ['1', '4'],
  );
});

const id = (number: number) => `00000000-0000-0000-0000-${String(number).padStart(12, '0')}`;
const reading = (number: number, changes: Record<string, unknown> = {}) =>
  JSON.stringify({
    event_id: id(number),
    taken_at: '2024-05-06T07:08:09.120Z',
    amount: 1.5,
    total: number,
    ...changes,
  });

test('events land with every value exact, and fields without a column are kept', async () => {
  await using lab = await openLab();
  const value = `{"event_id":"${id(1)}","taken_at":"2024-05-06T10:08:09.120+03:00","sent":1714979289,"amount":-0.1250,
    "total":18446744073709551615,"note":"a\\"\\u0416","firmware":{"v": 1.10},"big":12345678901234567890123.50}`;
  await lab.send([value.replaceAll('\n', ' ')]);
  await using _stream = lab.start();
  await lab.landed();
  const [row] = await lab.rows('*');
  assert.deepEqual(row, {
    ...{ id: id(1), taken_at: '2024-05-06 07:08:09.120', sent_at: '2024-05-06 07:08:09', amount: -0.125 },
    ...{ total: '18446744073709551615', note: 'a"Ж' },
  });
  const [kept] = await lab.clickhouse.rows(`SELECT _extra, _partition, _offset FROM ${lab.database}.readings`);
  const extra = { firmware: '{"v": 1.10}', big: '12345678901234567890123.50' };
  assert.deepEqual(kept, { _extra: extra, _partition: 0, _offset: '0' });
});

test('an event that is sent again, in another partition and with other values, stays the one that came first', async () => {
  await using lab = await openLab();
  await lab.send([reading(1), reading(2), reading(1, { note: 'again' })]);
  await lab.send([reading(9), reading(8), reading(7), reading(2, { note: 'elsewhere' })], 1);
  await using _stream = lab.start();
  await lab.landed();
  await lab.send([reading(1, { note: 'late', taken_at: '2024-06-01T00:00:00Z' })]);
  const watermark = await lab.landed();
  assert.deepEqual(
    await lab.rows('total, note'),
    [1, 2, 7, 8, 9].map((total) => ({ total: String(total), note: null })),
  );
  const topic = `${lab.name}.readings`;
  assert.deepEqual(watermark.offsets, { [`${topic}:0`]: '4', [`${topic}:1`]: '4' });
});

test('what is no event, or has wrong or missing values, becomes a dead letter, and the rest flows on', async () => {
  await using lab = await openLab();
  const bad = [
    '{"event_id": broken',
    `${reading(51)},"aside":{}`,
    reading(52, { event_id: undefined }),
    reading(53, { event_id: null }),
    reading(54, { total: 'many' }),
    reading(55, { total: -1 }),
    reading(56, { amount: 1.2345 }),
    reading(57, { taken_at: '2024-02-30T00:00:00Z' }),
    reading(58, { sent: 99999999999 }),
    `{"event_id":"${id(59)}","event_id":"${id(60)}","taken_at":"2024-05-06T07:08:09Z","amount":1,"total":1}`,
    `${reading(61)}${reading(62)}`,
    reading(63, { a: 1 }).replace('"a":1', '"a":1 2'),
  ];
  const good = Array.from({ length: 40 }, (_, index) => reading(index + 1));
  await lab.send([...good.slice(0, 20), ...bad, ...good.slice(20)]);
  await using _stream = lab.start();
  await lab.landed();
  assert.equal((await lab.rows()).length, 40);
  const letters = await lab.letters.find({ table: 'readings' });
  assert.deepEqual(
    letters.map(({ value }) => value.toString()),
    bad,
  );
  const replayed = await replayDeadLetter(lab.deps, letters[2]!);
  assert.match(replayed.refusal?.reason ?? '', /column id: no value/);
});

test('a stream that dies between an insert and its commit leaves every event once', async () => {
  await using lab = await openLab();
  await lab.send(Array.from({ length: 500 }, (_, index) => reading(index)));
  const dying = lab.start({ beforeCommit: async () => Promise.reject(new Error('killed')) });
  await assert.rejects(dying.result, /killed/);
  assert.equal((await lab.rows()).length, 500);
  await using _stream = lab.start();
  await lab.landed();
  const totals = (await lab.rows()).map(({ total }) => Number(total));
  assert.deepEqual(
    totals,
    Array.from({ length: 500 }, (_, index) => index),
  );
});

test('an optional column that the definition gains is added, and one that would change values is refused', async () => {
  await using lab = await openLab();
  const { columns } = lab.input.events!['readings']!;
  const planWith = async (further: typeof columns) => {
    const events = { readings: { ...lab.input.events!['readings']!, columns: { ...columns, ...further } } };
    const deps = depsFor({ ...lab.input, events });
    const steps = await planPipeline(deps, lab.name);
    return { deps, steps };
  };
  const { deps, steps } = await planWith({ grip: { type: 'Float64', optional: true } });
  await applyPlan(steps);
  await lab.send([reading(1, { grip: 0.25 })]);
  await using _stream = lab.start();
  await lab.landed();
  assert.deepEqual(await lab.rows('total, grip'), [{ total: '1', grip: 0.25 }]);
  const again = await planPipeline(deps, lab.name);
  assert.deepEqual(
    again.filter(({ action }) => action === 'create' || action === 'change'),
    [],
  );
  await deps.clickhouse.close();
  const refused = await planWith({ total: { type: 'Int32' } });
  const blocked = refused.steps.find(({ action }) => action === 'blocked');
  assert.match(blocked?.detail ?? '', /column total is UInt64 there and Int32/);
  await refused.deps.clickhouse.close();
});
