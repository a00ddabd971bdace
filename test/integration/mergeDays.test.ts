import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { MockActivityEnvironment } from '@temporalio/testing';
import { awaitInputs } from '../../activities/awaitInputs.ts';
import { type MergeStep, mergeDays } from '../../activities/mergeDays.ts';
import { martSteps } from '../../activities/plan/marts.ts';
import { planMerge } from '../../activities/planMerge.ts';
import { ClickHouse } from '../../adapters/clickhouse.ts';
import { Definitions } from '../../adapters/definitions.ts';
import { loadEnvironment } from '../../adapters/environment.ts';
import { createTopics, deleteTopics, openKafka } from '../../adapters/kafka.ts';
import { deadLettersDdl } from '../../core/deadLetters.ts';
import { parsePipeline } from '../../core/definition.ts';
import { isDataProcessedForPeriod } from '../../core/marts.ts';
import type { MergeActivities } from '../../core/mergeTypes.ts';

/** A mart over an event-like table that the test lands by itself: rows, then the group's offset. */
const environment = loadEnvironment();
const name = `marts_${randomBytes(4).toString('hex')}`;
const topic = `${name}.readings`;
const folder = mkdtempSync(join(tmpdir(), 'tidegate-marts-'));
const clickhouse = ClickHouse.from(environment);
const kafka = openKafka(environment);
const select = `SELECT toDate(at, 'UTC') AS day, device, count() AS readings, sum(value) AS total FROM readings FINAL
  WHERE at >= toDateTime({from:Date}, 'UTC') AND at < toDateTime({to:Date}, 'UTC') GROUP BY day, device`;
const columns = { id: { type: 'UInt64' }, device: { type: 'String' }, at: { type: 'DateTime64(3)' } };
const pipeline = parsePipeline(
  {
    ...{ name, source: 'NO_URL' },
    events: { readings: { topic, columns: { ...columns, value: { type: 'Int64' } }, key: ['id'] } },
    marts: {
      daily: {
        ...{ file: 'daily.sql', key: ['day', 'device'], period: 'day' },
        ...{ inputs: ['readings'], late: { input: 'readings', time: 'at' } },
      },
    },
  },
  'test',
);
const found = { pipeline, folder, hash: 'hash' };
const deps = { environment, clickhouse, definitions: new Definitions(new Map([[name, found]])) };
type Activities = Omit<MergeActivities, 'mergeKeys'>;
const activities: Activities = { ...awaitInputs(deps), ...planMerge(deps), ...mergeDays(deps) };
const inActivity = <T>(work: () => Promise<T>): Promise<T> => new MockActivityEnvironment().run(work) as Promise<T>;

before(async () => {
  writeFileSync(join(folder, 'daily.sql'), `${select};\n`);
  await createTopics(kafka, [topic]);
  await clickhouse.command(`CREATE DATABASE ${name}`);
  await clickhouse.command(
    `CREATE TABLE ${name}.readings (id UInt64, device String, at DateTime64(3, 'UTC'), value Int64, _partition Int32,
      _offset Int64, _version UInt128) ENGINE = ReplacingMergeTree(_version) ORDER BY id`,
  );
  await clickhouse.command(deadLettersDdl(name));
  for (const { apply } of await martSteps(clickhouse, found, new Set())) await apply?.();
});
after(async () => {
  await clickhouse.command(`DROP DATABASE IF EXISTS ${name} SYNC`);
  await deleteTopics(kafka, [topic]);
  await clickhouse.close();
  rmSync(folder, { recursive: true });
});

let end = 0;
interface Reading {
  id: number;
  device: string;
  at: string;
  value: number;
}

async function send(readings: readonly Reading[]): Promise<(Reading & { _offset: number })[]> {
  const producer = kafka.producer();
  await producer.connect();
  await producer.send({ topic, messages: readings.map((reading) => ({ value: JSON.stringify(reading) })) });
  await producer.disconnect();
  return readings.map((reading) => ({ ...reading, _offset: end++ }));
}

async function land(rows: readonly (Reading & { _offset: number })[], { commit = true } = {}): Promise<void> {
  const lines = rows.map((row) => JSON.stringify({ ...row, _partition: 0, _version: String(1e9 - row._offset) }));
  await clickhouse.insert({ into: `${name}.readings`, format: 'JSONEachRow', body: Buffer.from(lines.join('\n')) });
  if (!commit) return;
  const admin = kafka.admin();
  await admin.connect();
  const offset = String(Math.max(...rows.map(({ _offset }) => _offset)) + 1);
  await admin.setOffsets({
    ...{ groupId: pipeline.stream.consumerGroup, topic, partitions: [{ partition: 0, offset }] },
  });
  await admin.disconnect();
}

async function processed(from: string, to: string): Promise<boolean> {
  const { sql, params } = isDataProcessedForPeriod(pipeline, pipeline.marts[0]!);
  const [row] = await clickhouse.rows<{ processed: number }>(sql, { params: { ...params, from, to } });
  return Boolean(row!.processed);
}

async function merge(days: { from: string; to: string }, work: Activities = activities): Promise<void> {
  const watermark = await inActivity(() => activities.awaitInputs(name, 'daily'));
  const { parts } = await inActivity(() => activities.planMerge(name, 'daily', { days }));
  for (const { partition, days: asked } of parts) {
    const toMerge = asked.map((day) => ({ day, watermark }));
    await inActivity(() => work.mergeDays(name, 'daily', { partition, days: toMerge }));
  }
}

async function assertEqual(from: string, to: string): Promise<void> {
  const params = { from, to };
  const settings = { database: name };
  const [expected, actual] = await Promise.all([
    clickhouse.rows(`${select} ORDER BY day, device`, { params, settings }),
    clickhouse.rows('SELECT * FROM daily WHERE day >= {from:Date} AND day < {to:Date} ORDER BY day, device', {
      ...{ params, settings },
    }),
  ]);
  assert.deepEqual(actual, expected);
}

const reading = (id: number, at: string): Reading => ({ id, device: `d${id % 3}`, at, value: id * 7 });

test('a merged day equals a bare recomputation, and late events make it dirty until it is merged again', async () => {
  const rows = await send([1, 2, 3, 4].map((id) => reading(id, `2026-01-0${id} 10:00:00`)));
  await land(rows);
  assert.equal(await processed('2026-01-01', '2026-01-05'), false);
  await merge({ from: '2026-01-01', to: '2026-01-04' });
  assert.equal(await processed('2026-01-01', '2026-01-05'), true);
  assert.equal(await processed('2026-01-01', '2026-01-06'), false);
  await assertEqual('2026-01-01', '2026-01-05');
  await land(await send([reading(9, '2026-01-02 23:00:00')]));
  assert.equal(await processed('2026-01-02', '2026-01-03'), false);
  assert.equal(await processed('2026-01-03', '2026-01-05'), true);
  const plan = await inActivity(() => activities.planMerge(name, 'daily', { outstandingUpTo: '2026-01-04' }));
  assert.deepEqual(
    plan.parts.map(({ days }) => days),
    [['2026-01-02']],
  );
  await merge({ from: '2026-01-02', to: '2026-01-02' });
  assert.equal(await processed('2026-01-01', '2026-01-05'), true);
  await assertEqual('2026-01-01', '2026-01-05');
});

test('an event that landed but is not committed yet makes its day dirty again', async () => {
  await land(await send([reading(20, '2026-01-03 01:00:00')]), { commit: false });
  assert.equal(await processed('2026-01-03', '2026-01-04'), false);
});

test('a dead letter that is replayed makes its day dirty, though it lands below the offsets of the merge', async () => {
  const [row] = await send([reading(30, '2026-02-01 01:00:00')]);
  await land(await send([reading(31, '2026-02-01 02:00:00')]));
  await clickhouse.command(
    `INSERT INTO ${name}.dead_letters (\`table\`, topic, partition, offset) VALUES ('x', {topic:String}, 0, ${row!._offset})`,
    { params: { topic } },
  );
  await merge({ from: '2026-02-01', to: '2026-02-01' });
  assert.equal(await processed('2026-02-01', '2026-02-02'), true);
  await land([row!], { commit: false });
  assert.equal(await processed('2026-02-01', '2026-02-02'), false);
});

for (const broken of ['recorded', 'created', 'kept', 'selected', 'swapped', 'noted'] as MergeStep[]) {
  test(`a merge that dies when it has ${broken} never says too much, and is done by the next one`, async () => {
    const id = 100 + end;
    await land(await send([reading(id, '2026-03-05 10:00:00'), reading(id + 1, '2026-03-06 10:00:00')]));
    const dying = mergeDays(deps, async (step) => {
      if (step === broken) throw new Error('forced');
    });
    await assert.rejects(merge({ from: '2026-03-05', to: '2026-03-06' }, { ...activities, ...dying }), /forced/);
    if (await processed('2026-03-05', '2026-03-07')) await assertEqual('2026-03-05', '2026-03-07');
    else assert.notEqual(broken, 'noted');
    await merge({ from: '2026-03-05', to: '2026-03-06' });
    assert.equal(await processed('2026-03-05', '2026-03-07'), true);
    await assertEqual('2026-03-05', '2026-03-07');
    const left = await clickhouse.rows(
      'SELECT name FROM system.tables WHERE database = {name:String} AND name LIKE {like:String}',
      {
        params: { name, like: '%staging%' },
      },
    );
    assert.deepEqual(left, []);
  });
}

test('a partition whose days have no rows any more becomes empty', async () => {
  await land(await send([reading(1000, '2026-05-05 10:00:00')]));
  await merge({ from: '2026-05-05', to: '2026-05-05' });
  await clickhouse.command(`DELETE FROM ${name}.readings WHERE id = 1000`);
  await merge({ from: '2026-05-01', to: '2026-05-31' });
  await assertEqual('2026-05-01', '2026-06-01');
});
