import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { MockActivityEnvironment } from '@temporalio/testing';
import type { Producer } from 'kafkajs';
import { type MergeKeysStep, mergeKeys } from '../../activities/mergeKeys.ts';
import { loadDefinitions } from '../../adapters/definitions.ts';
import type { MergedKeys, MergeResult } from '../../core/mergeTypes.ts';
import { Scenario } from './harness.ts';

/** Beds of a ward: a key of two columns, one of them text; events beside tables; and a mart over the mart. */
const BEDS = `SELECT b.ward AS ward, b.bed AS bed, b.room_id AS room_id, r.label AS label, n.notes AS notes, n.last AS last
  FROM (SELECT * FROM beds WHERE (ward, bed) IN (SELECT ward, bed FROM {keys:Identifier})) AS b
  LEFT JOIN rooms AS r ON r.room_id = b.room_id
  LEFT JOIN (SELECT ward, count() AS notes, max(at) AS last FROM notes_current GROUP BY ward) AS n ON n.ward = b.ward
  SETTINGS join_use_nulls = 1`;
const WARDS = `SELECT ward, count() AS beds, countIf(label = 'closed') AS closed, max(notes) AS notes
  FROM occupied WHERE ward IN (SELECT ward FROM {keys:Identifier}) GROUP BY ward`;

suite('a mart by keys', () => {
  let scenario: Scenario;
  let producer: Producer;
  let sent = 0;

  before(async () => {
    scenario = await Scenario.open({
      label: 'keyed',
      ddl: `CREATE TABLE rooms (room_id int PRIMARY KEY, label text);
        CREATE TABLE beds (ward text, bed int, room_id int, PRIMARY KEY (ward, bed));
        INSERT INTO rooms SELECT i, 'room ' || i FROM generate_series(1, 20) i;
        INSERT INTO beds SELECT 'ward ' || i % 7, i, i % 25 FROM generate_series(1, 200) i`,
      tables: {
        rooms: { currentView: 'rooms', target: 'room_rows' },
        beds: { currentView: 'beds', target: 'bed_rows' },
      },
      stream: { partitions: 2 },
      files: { 'beds.sql': BEDS, 'wards.sql': WARDS },
      further: {
        events: {
          notes: {
            columns: { id: { type: 'Int64' }, ward: { type: 'String' }, at: { type: 'DateTime64(3)' } },
            ...{ key: ['id'], target: 'notes', partitions: 2 },
          },
        },
        marts: {
          occupied: {
            ...{ file: 'beds.sql', key: ['ward', 'bed'], refreshEvery: '1h', keysAtOnce: 30 },
            inputs: {
              bed_rows: { ward: 'ward', bed: 'bed' },
              room_rows: { room_id: 'room_id' },
              notes: { ward: 'ward' },
            },
          },
          wards: { file: 'wards.sql', key: ['ward'], inputs: { occupied: { ward: 'ward' } } },
        },
      },
    });
    producer = scenario.kafka.producer();
    await producer.connect();
  });
  after(async () => {
    await producer?.disconnect();
    await scenario?.[Symbol.asyncDispose]();
  });

  async function merge(rebuild = false): Promise<MergedKeys> {
    const { temporal, name } = scenario;
    const id = await temporal.startKeysMerge(name, 'occupied', { rebuild });
    const result = (await temporal.client.workflow.getHandle(id).result()) as MergeResult;
    return result.byKeys![0]!;
  }

  /** Merges, and compares with what the same SELECTs give of all keys. */
  async function compare(): Promise<MergedKeys> {
    const merged = await merge();
    const { clickhouse, pipeline } = scenario;
    const settings = { database: pipeline.database };
    for (const [held, sql, keys, order] of [
      ['occupied', BEDS, 'bed_rows', 'ward, bed'],
      ['wards', WARDS, 'occupied_versions', 'ward'],
    ] as const) {
      const rows = await clickhouse.rows(`SELECT * FROM ${held} ORDER BY ${order}`, { settings });
      const wanted = await clickhouse.rows(`SELECT * FROM (${sql}) ORDER BY ${order}`, { settings, params: { keys } });
      assert.deepEqual(rows, wanted, held);
    }
    const counted = await scenario.source.admin.query('SELECT count(*)::int AS beds FROM beds');
    const [own] = await clickhouse.rows<{ beds: string }>('SELECT count() AS beds FROM occupied', { settings });
    assert.equal(Number(own!.beds), counted.rows[0].beds);
    return merged;
  }

  async function label(room: number): Promise<string | undefined> {
    const sql = `SELECT any(label) AS label FROM occupied WHERE room_id = ${room}`;
    const [row] = await scenario.clickhouse.rows<{ label: string }>(sql, {
      settings: { database: scenario.pipeline.database },
    });
    return row?.label;
  }

  test('merges all keys first, some at a time, and then those that have changed', async () => {
    const first = await compare();
    assert.deepEqual([first.keys, first.rows, first.followers], [200, 200, ['wards']]);
    assert.equal((await compare()).keys, 0);
    await scenario.sql("UPDATE rooms SET label = 'closed' WHERE room_id = 3");
    const renamed = await compare();
    assert.deepEqual([renamed.keys, renamed.rebuilt], [8, null]);
    assert.equal(await label(3), 'closed');
  });

  test('follows keys that move, rows that go and come, and events', async () => {
    await scenario.sql(`UPDATE beds SET ward = 'moved' WHERE bed IN (1, 2); DELETE FROM beds WHERE bed IN (3, 4);
      DELETE FROM rooms WHERE room_id = 5`);
    assert.equal((await compare()).rebuilt, null);
    await scenario.sql("INSERT INTO beds VALUES ('ward 3', 3, 21); INSERT INTO rooms VALUES (21, 'new'), (5, 'again')");
    await compare();
    for (let round = 0; round < 3; round++) {
      const messages = Array.from({ length: 20 }, () => {
        const at = new Date(Date.UTC(2026, 0, 1) + (sent % 13) * 1000).toISOString();
        return { partition: sent % 2, value: JSON.stringify({ id: sent % 45, ward: `ward ${sent++ % 4}`, at }) };
      });
      await producer.send({ topic: scenario.pipeline.events[0]!.topic, messages });
      const merged = await compare();
      assert.ok(merged.rebuilt === null && merged.keys > 0);
    }
  });

  test('takes in what has no offset: rows of a repair', async () => {
    const { clickhouse, pipeline, temporal, name } = scenario;
    const settings = { database: pipeline.database };
    await clickhouse.command(
      `INSERT INTO room_rows (room_id, label, _version, _deleted)
       SELECT room_id, 'corrupted', _version + 1, 0 FROM room_rows FINAL WHERE room_id = 7`,
      { settings },
    );
    assert.equal((await compare()).rebuilt, null);
    assert.equal(await label(7), 'corrupted');
    const id = await temporal.startVerify(name, { repair: true });
    await temporal.client.workflow
      .getHandle(id)
      .result()
      .catch(() => undefined);
    assert.equal((await compare()).rebuilt, null);
    assert.equal(await label(7), 'room 7');
  });

  test('is left alone by an attempt that was believed dead, once another has begun', async () => {
    const { environment, clickhouse, name } = scenario;
    const definitions = await loadDefinitions(environment.pipelineFolders);
    const deps = { environment, clickhouse, definitions };
    const run = (activities: ReturnType<typeof mergeKeys>) =>
      new MockActivityEnvironment().run(() => activities.mergeKeys(name, 'occupied', { rebuild: true }));
    for (const asleep of ['found', 'partly merged'] satisfies MergeKeysStep[]) {
      const late = mergeKeys(deps, async (step) => {
        if (step !== asleep) return;
        await scenario.sql(`UPDATE rooms SET label = 'awake, ${asleep}' WHERE room_id IN (7, 8)`);
        await scenario.waitUntilCaughtUp();
        await run(mergeKeys(deps));
      });
      await assert.rejects(run(late), /_staging_/);
      assert.deepEqual([await label(7), await label(8)], [`awake, ${asleep}`, `awake, ${asleep}`]);
    }
    await compare();
  });

  test('is built anew after a truncation, a resync, and when somebody asks', async () => {
    await scenario.sql('TRUNCATE rooms');
    assert.notEqual((await compare()).rebuilt, null);
    await scenario.sql("INSERT INTO rooms VALUES (1, 'first')");
    assert.equal((await compare()).rebuilt, null);
    await scenario.resync('rooms');
    assert.notEqual((await compare()).rebuilt, null);
    assert.equal((await merge(true)).rebuilt, 'it was asked for');
    await compare();
  });
});
