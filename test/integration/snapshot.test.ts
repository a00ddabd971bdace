import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import type pg from 'pg';
import { copySnapshot, type SnapshotStep } from '../../activities/copySnapshot.ts';
import { snapshotState } from '../../activities/snapshotRecord.ts';
import { Connect } from '../../adapters/connect.ts';
import { committedOffsets, deleteTopics, endOffsets, openKafka } from '../../adapters/kafka.ts';
import { connectPostgres } from '../../adapters/postgres.ts';
import { readSlot } from '../../adapters/replication.ts';
import type { CopyProgress, SnapshotResult } from '../../core/activityTypes.ts';
import { TidegateError } from '../../core/errors.ts';
import { parseLsn } from '../../core/lsn.ts';
import { until } from '../workflow/until.ts';
import { killAtStep, leftovers } from './copySupport.ts';
import { createSourceDatabase, depsFor, type SourceDatabase, startActivity, uniqueName } from './streamSupport.ts';

const name = uniqueName('snaplab');
const variable = `${name.toUpperCase()}_URL`;
const slot = `tidegate_${name}`;
const input = { name, source: variable, tables: { things: {}, pairs: {} } };
const topics = [`${name}.public.things`, `${name}.public.pairs`];
let source: SourceDatabase;
let settings: Record<string, string>;
let deps: ReturnType<typeof depsFor>;
/** A second session of the owner. */
let other: pg.Client;

before(async () => {
  source = await createSourceDatabase(name, 'secret');
  settings = { [variable]: source.captureUrl.href };
  deps = depsFor(input, settings);
  other = await connectPostgres(source.url, { applicationName: 'test' });
  await source.owner.query('CREATE TABLE things (id int PRIMARY KEY, name text)');
  await source.owner.query('CREATE TABLE pairs (a int, b text, n numeric(8,3), PRIMARY KEY (b, a))');
  await source.owner.query(`CREATE PUBLICATION ${slot} FOR TABLE things, pairs`);
});

after(async () => {
  const connect = Connect.from(deps.environment);
  await connect.delete(name);
  await deleteTopics(openKafka(deps.environment), topics);
  await deps.clickhouse.command(`DROP DATABASE IF EXISTS ${name}`);
  await deps.clickhouse.close();
  await other?.end();
  await source?.drop();
});

beforeEach(async () => {
  await source.owner.query('TRUNCATE things, pairs');
  await source.owner.query("INSERT INTO things SELECT i, 'thing ' || i FROM generate_series(1, 1000) i");
  await source.owner.query("INSERT INTO pairs SELECT i % 3, 'b' || i, i / 8.0 FROM generate_series(1, 100) i");
});

const run = (onStep?: (step: SnapshotStep) => Promise<void>) =>
  startActivity<SnapshotResult, CopyProgress>(() => copySnapshot(deps, onStep).copySnapshot(name));
const state = () => snapshotState(deps, deps.pipeline);
const fails = (code: string) => (error: unknown) => error instanceof TidegateError && error.code === code;

async function sourceRows(): Promise<unknown> {
  const things = await source.owner.query('SELECT id, name FROM things ORDER BY id');
  const pairs = await source.owner.query('SELECT a, b, n::float8 FROM pairs ORDER BY b, a');
  return [things.rows, pairs.rows];
}

async function targetRows(): Promise<unknown> {
  return [
    await deps.clickhouse.rows(`SELECT * FROM ${name}.things_current ORDER BY id`),
    await deps.clickhouse.rows(`SELECT * FROM ${name}.pairs_current ORDER BY b, a`),
  ];
}

async function complete(expected: unknown): Promise<void> {
  assert.deepEqual(await targetRows(), expected);
  assert.deepEqual(await leftovers(deps.clickhouse, name), []);
  assert.equal((await state()).finished, true, (await state()).reason);
}

/** 1 while the slot exists, also while it is still being created. */
async function slotRows(): Promise<number> {
  const { rows } = await source.owner.query('SELECT 1 FROM pg_replication_slots WHERE slot_name = $1', [slot]);
  return rows.length;
}

/** How many rows the slot will stream, by pgoutput's message type, without taking them from it. */
async function streamed(): Promise<Record<string, number>> {
  const { rows } = await source.owner.query<{ type: string; count: number }>(
    `SELECT chr(get_byte(data, 0)) AS type, count(*)::int AS count
     FROM pg_logical_slot_peek_binary_changes($1, NULL, NULL, 'proto_version', '1', 'publication_names', $2)
     WHERE get_byte(data, 0) IN (ascii('I'), ascii('U'), ascii('D')) GROUP BY 1`,
    [slot, slot],
  );
  return Object.fromEntries(rows.map(({ type, count }) => [type, count]));
}

test('a snapshot copies every stream table, versioned below all that its slot will stream', async () => {
  assert.equal((await state()).finished, false);
  const running = run();
  const result = await running.result;
  assert.equal(result.slot, slot);
  assert.deepEqual(
    result.tables.map(({ table, rows }) => [table, rows]),
    [
      ['things', 1000],
      ['pairs', 100],
    ],
  );
  assert.deepEqual(
    running.beat()?.tables.map(({ phase, rows }) => [phase, rows]),
    [
      ['done', 1000],
      ['done', 100],
    ],
  );
  const versions = await deps.clickhouse.rows(
    `SELECT DISTINCT toString(_version) AS version, _deleted FROM ${name}.things`,
  );
  assert.deepEqual(versions, [{ version: (parseLsn(result.lsn) << 64n).toString(), _deleted: 0 }]);
  const created = await readSlot(source.owner, slot);
  assert.ok(parseLsn(result.lsn) <= created!.confirmedFlushLsn);
  assert.deepEqual(await streamed(), {});
  await complete(await sourceRows());
  const connector = await Connect.from(deps.environment).status(name);
  assert.equal(connector?.state, 'STOPPED');
});

test('rows that change between the slot and the copy are those of the slot, and their changes are streamed', async () => {
  const expected = await sourceRows();
  await run(async (step) => {
    if (step !== 'slot created') return;
    await source.owner.query("INSERT INTO things VALUES (5000, 'late')");
    await source.owner.query("UPDATE things SET name = 'changed' WHERE id <= 10");
    await source.owner.query('DELETE FROM things WHERE id BETWEEN 20 AND 24');
    await source.owner.query('VACUUM things');
    await source.owner.query('UPDATE pairs SET a = a + 10 WHERE n = 1');
  }).result;
  await complete(expected);
  assert.deepEqual(await streamed(), { I: 1, U: 11, D: 5 });
});

test('the slot waits for a transaction that is running, and its rows are in the snapshot once', async () => {
  await other.query("BEGIN; INSERT INTO things VALUES (7000, 'open')");
  const emptied = Promise.withResolvers<void>();
  const running = run(async (step) => {
    if (step === 'targets emptied') emptied.resolve();
  });
  await emptied.promise;
  await until(slotRows, (rows) => rows === 1);
  await source.owner.query("INSERT INTO things VALUES (7001, 'meanwhile')");
  await other.query('COMMIT');
  await running.result;
  await complete(await sourceRows());
  assert.deepEqual(await streamed(), {});
});

test('a snapshot that is cancelled while it waits for its slot leaves none', async () => {
  await other.query("BEGIN; INSERT INTO things VALUES (8000, 'open')");
  try {
    const emptied = Promise.withResolvers<void>();
    await using running = run(async (step) => {
      if (step === 'targets emptied') emptied.resolve();
    });
    await emptied.promise;
    await until(slotRows, (rows) => rows === 1);
    running.cancel();
    await assert.rejects(running.result, { name: 'CancelledFailure' });
    await until(slotRows, (rows) => rows === 0);
    assert.match((await state()).reason, /no replication slot/);
  } finally {
    await other.query('ROLLBACK');
  }
});

for (const step of [
  'connector stopped',
  'slot dropped',
  'offsets moved',
  'targets emptied',
  'slot created',
  'copied',
  'checked',
  'recorded',
] satisfies SnapshotStep[]) {
  test(`a snapshot that is killed at '${step}' counts only if it was recorded, and the next one is complete`, async () => {
    await killAtStep({ input, settings, table: null, killAt: step });
    assert.equal((await state()).finished, step === 'recorded', (await state()).reason);
    await source.owner.query('DELETE FROM things WHERE id > 500');
    await run().result;
    await complete(await sourceRows());
  });
}

test('a snapshot that fails drops its slot', async () => {
  const running = run(async (step) => {
    if (step === 'slot created')
      await source.owner.query('ALTER TABLE things ALTER COLUMN name TYPE varchar(50) USING upper(name)');
  });
  await assert.rejects(running.result, fails('SHORT_LOAD'));
  assert.equal(await readSlot(source.owner, slot), null);
  assert.deepEqual(await leftovers(deps.clickhouse, name), []);
  await source.owner.query('ALTER TABLE things ALTER COLUMN name TYPE text');
});

test('an attempt that was believed dead fails, and harms neither slot nor rows of its successor', async () => {
  for (const held of ['slot dropped', 'slot created', 'copied'] satisfies SnapshotStep[]) {
    const reached = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const first = run(async (step) => {
      if (step !== held) return;
      reached.resolve();
      await release.promise;
    });
    await reached.promise;
    await run().result;
    const expected = await sourceRows();
    await source.owner.query('DELETE FROM things WHERE id % 2 = 0');
    release.resolve();
    await assert.rejects(first.result, held);
    await complete(expected);
  }
});

test('a slot that was dropped and created again is not the one of the snapshot', async () => {
  await run().result;
  await source.owner.query('SELECT pg_drop_replication_slot($1)', [slot]);
  assert.match((await state()).reason, /no replication slot/);
  await source.owner.query("SELECT pg_create_logical_replication_slot($1, 'pgoutput')", [slot]);
  assert.match((await state()).reason, /dropped and created again/);
});

test('what waits in Kafka from before the snapshot is skipped', async () => {
  const kafka = openKafka(deps.environment);
  const producer = kafka.producer();
  await producer.connect();
  await producer.send({ topic: topics[0] as string, messages: [{ value: '{}' }, { value: '{}' }] });
  await producer.disconnect();
  await run().result;
  const group = deps.pipeline.stream.consumerGroup;
  assert.deepEqual(await committedOffsets(kafka, { group, topics }), await endOffsets(kafka, topics));
});
