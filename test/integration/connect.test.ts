import assert from 'node:assert/strict';
import { readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Kafka } from 'kafkajs';
import { watchConnector } from '../../activities/watchConnector.ts';
import { Connect } from '../../adapters/connect.ts';
import { deleteTopics, openKafka } from '../../adapters/kafka.ts';
import { connectPostgres } from '../../adapters/postgres.ts';
import type { ConnectorHealth } from '../../core/activityTypes.ts';
import { UNAVAILABLE_VALUE } from '../../core/connectorConfig.ts';
import { TidegateError } from '../../core/errors.ts';
import { until } from '../workflow/until.ts';
import {
  createSourceDatabase,
  depsFor,
  readTopic,
  type SourceDatabase,
  startActivity,
  uniqueName,
} from './streamSupport.ts';

const name = uniqueName('watchlab');
const password = `p\\a s:s=w#o!r'd"ü€`;
const topic = `${name}.public.things`;
const input = { name, source: `${name.toUpperCase()}_URL`, tables: { things: {} } };
let source: SourceDatabase;
let deps: ReturnType<typeof depsFor>;
let kafka: Kafka;
let connect: Connect;

before(async () => {
  source = await createSourceDatabase(name, password);
  await source.owner.query('CREATE TABLE things (id int PRIMARY KEY, name text, long text)');
  await source.owner.query('ALTER TABLE things ALTER COLUMN long SET STORAGE EXTERNAL');
  await source.owner.query(`CREATE PUBLICATION tidegate_${name} FOR TABLE things`);
  await source.owner.query(`SELECT pg_create_logical_replication_slot('tidegate_${name}', 'pgoutput')`);
  deps = depsFor(input, { [`${name.toUpperCase()}_URL`]: source.captureUrl.href });
  kafka = openKafka(deps.environment);
  connect = Connect.from(deps.environment);
});

after(async () => {
  await connect?.delete(name);
  if (deps) rmSync(secretFile(), { force: true });
  await source?.drop();
  if (kafka) await deleteTopics(kafka, [topic, `__debezium-heartbeat.${name}`]);
});

const secretFile = () => join(deps.environment.required('CONNECT_SECRETS_DIR'), `${name}.properties`);
const watch = () =>
  startActivity<ConnectorHealth | null, ConnectorHealth>(() => watchConnector(deps).watchConnector(name));
const insert = (id: number) => source.owner.query('INSERT INTO things VALUES ($1, $2)', [id, `thing ${id}`]);

/** A session in another database of the source's server. */
async function elsewhere() {
  const client = await connectPostgres(deps.environment.url('POSTGRES_URL'), { applicationName: 'tidegate test' });
  return { client, [Symbol.asyncDispose]: () => client.end() };
}

/** The ids in the topic, in order. */
async function idsInTopic(): Promise<number[]> {
  const values = await readTopic(kafka, topic);
  return values.map((value) => (JSON.parse(value) as { after: { id: number } }).after.id);
}

/** Changes may come twice after a restart, so messages are not counted. */
async function waitForIds(last: number): Promise<void> {
  await until(idsInTopic, (ids) => ids.at(-1) === last);
  assert.deepEqual(
    [...new Set(await idsInTopic())],
    Array.from({ length: last }, (_, index) => index + 1),
  );
}

async function slotIsActive(): Promise<boolean> {
  const sql = `SELECT active FROM pg_replication_slots WHERE slot_name = 'tidegate_${name}'`;
  return (await source.owner.query(sql)).rows[0].active;
}

const running = (health: ConnectorHealth | undefined) =>
  health?.state === 'RUNNING' && health.tasks[0]?.state === 'RUNNING' && health.slot?.active === true;

test('a missing connector is created, and the changes since the slot arrive', async () => {
  await insert(1);
  await using watching = watch();
  const health = await until(watching.beat, running);
  assert.equal(health?.connector, name);
  assert.equal(health?.problem, null);
  assert.equal(health?.slot?.walStatus, 'reserved');
  await insert(2);
  await waitForIds(2);
  assert.deepEqual(await idsInTopic(), [1, 2]);
  watching.cancel();
  assert.equal((await watching.result)?.state, 'RUNNING');
});

test('an idle source keeps no WAL: its slot moves on with what other databases write', async () => {
  await using server = await elsewhere();
  await server.client.query("SELECT pg_logical_emit_message(false, 'test', repeat('x', 1000000))");
  const { rows } = await server.client.query<{ lsn: string }>('SELECT pg_current_wal_insert_lsn()::text AS lsn');
  const passed = async () => {
    const sql = 'SELECT confirmed_flush_lsn >= $1::pg_lsn AS passed FROM pg_replication_slots WHERE slot_name = $2';
    return (await server.client.query(sql, [rows[0]!.lsn, `tidegate_${name}`])).rows[0].passed;
  };
  assert.equal(await until(passed, (answer) => answer === true), true);
});

test('the password is in a file that only its owner reads, and not in the configuration', async () => {
  const file = secretFile();
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.equal(readFileSync(file, 'latin1'), `password=p\\\\a\\ s:s=w#o!r'd"\\u00fc\\u20ac\n`);
  const config = await connect.config(name);
  assert.equal(config?.['database.password'], `\${file:${file}:password}`);
  assert.ok(!JSON.stringify(config).includes('w#o!r'));
});

test('a changed configuration is brought up to date, and a stopped connector resumed', async () => {
  const config = await connect.config(name);
  await connect.putConfig(name, { ...config, 'poll.interval.ms': '77' });
  await connect.stop(name);
  await using watching = watch();
  await until(watching.beat, running);
  assert.equal((await connect.config(name))?.['poll.interval.ms'], '10');
});

test('a connector deleted behind our back is created again and loses nothing', async () => {
  await connect.delete(name);
  await until(slotIsActive, (active) => !active);
  await insert(3);
  await using watching = watch();
  await waitForIds(3);
  await connect.delete(name);
  await until(
    () => connect.config(name),
    (config) => config !== null,
  );
  await insert(4);
  await waitForIds(4);
  await until(watching.beat, running);
});

test('a failed task is restarted and counted, and goes on once the source allows it', async () => {
  await using watching = watch();
  await until(watching.beat, running);
  await source.owner.query(`ALTER ROLE ${source.role} NOREPLICATION`);
  await source.owner.query(
    `SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = 'tidegate_${name}'`,
  );
  const health = await until(watching.beat, (beat) => (beat?.restarts ?? 0) > 0);
  assert.match(health?.problem ?? '', /failed and is restarted: .*\w/);
  await source.owner.query(`ALTER ROLE ${source.role} REPLICATION`);
  await insert(5);
  await until(watching.beat, running);
  await waitForIds(5);
});

test('a large value that an update did not touch is read back', async () => {
  await using watching = watch();
  await source.owner.query(`INSERT INTO things VALUES (6, 'large', repeat('x', 100000))`);
  await source.owner.query(`UPDATE things SET name = 'still large' WHERE id = 6`);
  const values = await until(
    () => readTopic(kafka, topic),
    (all) => all.at(-1)?.includes('"still large"') ?? false,
  );
  const last = values.at(-1)!;
  assert.ok(!last.includes(UNAVAILABLE_VALUE));
  assert.equal((JSON.parse(last) as { after: { long: string } }).after.long.length, 100_000);
  watching.cancel();
});

test('a slot that is gone ends the watch with SLOT_LOST', async () => {
  await connect.stop(name);
  await until(
    async () =>
      (
        await source.owner.query(`SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots
        WHERE slot_name = 'tidegate_${name}' AND NOT active`)
      ).rowCount,
    (dropped) => dropped === 1,
  );
  await using watching = watch();
  await assert.rejects(watching.result, (error) => error instanceof TidegateError && error.code === 'SLOT_LOST');
});
