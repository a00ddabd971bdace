import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, suite, test } from 'node:test';
import { findEngine } from '../../activities/kafkaEngine.ts';
import { planLeftovers } from '../../activities/plan/leftovers.ts';
import { planPipeline } from '../../activities/planPipeline.ts';
import type { VerifyReport } from '../../core/activityTypes.ts';
import { chTable } from '../../core/identifiers.ts';
import definition from '../../pipelines/crm/pipeline.ts';
import { Scenario } from './harness.ts';
import { readTopic } from './topic.ts';
import { until } from './until.ts';

const folder = new URL('../../pipelines/crm/', import.meta.url);
const MART = readFileSync(new URL('marts/crm_data_mart.sql', folder), 'utf8');
const TABLES = readFileSync(new URL('source.sql', folder), 'utf8').match(/CREATE TABLE IF NOT EXISTS[^;]*;/g)!;
const OBJECTS = ['prostheses_kafka', 'prostheses_mv', 'users_kafka', 'users_mv'];

suite('ClickHouse takes the changes in by its own Kafka engine', () => {
  let scenario: Scenario;

  before(async () => {
    scenario = await Scenario.open({
      ...{ label: 'engine', workers: 'child' },
      ddl: `${TABLES.join('\n')}
        CREATE VIEW users_current AS SELECT * FROM users;
        CREATE VIEW prostheses_current AS SELECT * FROM prostheses;
        INSERT INTO users SELECT i, format('u%s@example.org', i), format('User %s', i) FROM generate_series(1, 500) i;
        INSERT INTO prostheses SELECT i, i, 'Nova Hand S1', '2024-02-29' FROM generate_series(1, 500) i`,
      tables: definition.tables!,
      further: {
        stream: { ingest: 'kafka-engine' },
        events: { telemetry: { target: 'telemetry', columns: { id: { type: 'Int64' } }, key: ['id'] } },
        views: definition.views!,
      },
      files: { 'marts/crm_data_mart.sql': MART },
    });
  });
  after(() => scenario?.[Symbol.asyncDispose]());

  /** What ClickHouse reads by now. */
  const objects = async () => [...((await findEngine(scenario.clickhouse, scenario.pipeline))?.names ?? [])].sort();
  const reads = () => until(objects, (names) => names.length === 4, { what: 'ClickHouse reads' });
  const problem = async () => {
    const { work } = (await scenario.status())!;
    const beat = work.activities.find(({ type }) => type === 'runStream')?.heartbeat as
      | { problem: string | null }
      | undefined;
    return beat?.problem ?? null;
  };

  async function assertMart(): Promise<void> {
    await scenario.assertEqual();
    const columns = 'user_id, user_email, user_name, prosthesis_id, prosthesis_model';
    const order = 'ORDER BY user_id, prosthesis_id NULLS LAST';
    const { rows: wanted } = await scenario.source.admin.query(`SELECT ${columns} FROM (${MART}) AS mart ${order}`);
    const mart = chTable({ database: scenario.pipeline.database, name: 'crm_data_mart' });
    assert.deepEqual(await scenario.clickhouse.rows(`SELECT ${columns} FROM ${mart} ${order}`), wanted);
  }

  const change = (id: number) =>
    scenario.sql(
      `INSERT INTO users VALUES (${id}, 'n${id}@example.org', 'New ${id}');
       UPDATE users SET user_name = user_name || '!' WHERE user_id % 7 = 0;
       UPDATE prostheses SET prosthesis_id = prosthesis_id + ${id} WHERE prosthesis_id = ${id % 500} + 1;
       DELETE FROM prostheses WHERE prosthesis_id % 100 = ${id % 100}`,
    );

  async function send(topic: string, ...values: string[]): Promise<void> {
    const producer = scenario.kafka.producer();
    await producer.connect();
    await producer.send({ topic, messages: values.map((value) => ({ value })) });
    await producer.disconnect();
  }

  async function letters(): Promise<string[]> {
    const rows = await scenario.clickhouse.rows<{ error_code: string }>(
      `SELECT error_code FROM ${chTable({ database: scenario.pipeline.database, name: 'dead_letters' })} FINAL ORDER BY offset`,
    );
    return rows.map(({ error_code }) => error_code);
  }

  test('inserts, updates, deletes, changed keys and a TRUNCATE arrive, through its own objects and consumer group', async () => {
    await reads();
    assert.deepEqual(await objects(), OBJECTS);
    await change(1001);
    await assertMart();
    await scenario.sql("INSERT INTO prostheses VALUES (7001, 5, 'Atlas', '2025-01-01')");
    await scenario.sql('TRUNCATE prostheses');
    await scenario.sql("INSERT INTO prostheses VALUES (7002, 6, 'Atlas', '2025-01-01')");
    await assertMart();
    const { clickhouse, pipeline } = scenario;
    const [read] = await clickhouse.rows<{ read: string }>(
      "SELECT sum(num_messages_read) AS read FROM system.kafka_consumers WHERE database = {database:String} AND `table` = 'users_kafka'",
      { params: { database: pipeline.database } },
    );
    assert.ok(Number(read!.read) > 70, 'it is ClickHouse that has read');
  });

  test('events of the same pipeline are read by the activity meanwhile', async () => {
    await send(scenario.pipeline.events[0]!.topic, '{"id":1}', '{"id":2}');
    await scenario.waitUntilCaughtUp();
    const [row] = await scenario.clickhouse.rows<{ rows: string }>(
      `SELECT count() AS rows FROM ${chTable({ database: scenario.pipeline.database, name: 'telemetry_current' })}`,
    );
    assert.equal(row!.rows, '2');
  });

  test('nothing lands while it is paused, and everything after', async () => {
    await scenario.pause();
    assert.deepEqual(await objects(), []);
    await change(1002);
    await scenario.resume();
    await reads();
    await assertMart();
  });

  test('it goes on while the worker is dead, and after', async () => {
    await scenario.killWorkers();
    await change(1102);
    await assertMart();
    assert.deepEqual(await objects(), OBJECTS);
    const before = await findEngine(scenario.clickhouse, scenario.pipeline);
    scenario.startWorkers();
    const taken = async () => {
      const now = await findEngine(scenario.clickhouse, scenario.pipeline);
      return now?.names.length === 4 && now.group !== before?.group;
    };
    await until(taken, Boolean, { what: 'the next worker takes over', state: () => scenario.describe() });
    await change(1103);
    await assertMart();
  });

  test('bad messages become dead letters of which the others take no harm', async () => {
    const [topic] = scenario.topics as [string];
    const good = (await readTopic(scenario.kafka, topic)).find((each) => each.includes('"op":"c"'))!.toString();
    await send(topic, 'not JSON', `${good}${good}`, good.replace(/"user_id":\d+/, '"user_id":99999999999999999999'));
    await change(1003);
    await assertMart();
    assert.equal((await letters()).length, 3);
    assert.match((await problem()) ?? '', /the stream activity has taken its place/);
    await reads();
    await change(1004);
    await assertMart();
    await until(problem, (told) => told === null, { what: 'ClickHouse reads again' });
  });

  test('a column that is added arrives with its values', async () => {
    await scenario.sql('ALTER TABLE users ADD COLUMN city text');
    await scenario.sql("INSERT INTO users VALUES (2001, 'c@example.org', 'City', 'Omsk')");
    await scenario.sql("UPDATE users SET city = 'Perm' WHERE user_id = 3");
    await assertMart();
    await reads();
  });

  test('changing between the activity and the engine, and back, loses nothing', async () => {
    const setting = `${scenario.name.toUpperCase()}_INGEST`;
    for (const ingest of ['activity', 'kafka-engine']) {
      await scenario.stopWorkers();
      assert.deepEqual(await objects(), []);
      await change(ingest === 'activity' ? 3001 : 3002);
      scenario.settings = { [setting]: ingest };
      scenario.startWorkers();
      await assertMart();
      if (ingest === 'kafka-engine') await reads();
      else assert.deepEqual(await objects(), []);
      await change(ingest === 'activity' ? 3003 : 3004);
      await assertMart();
    }
  });

  test('verify finds source and target equal, and plan names the objects', async () => {
    const id = await scenario.temporal.startVerify(scenario.name);
    const report: VerifyReport = await scenario.temporal.client.workflow.getHandle(id).result();
    assert.deepEqual([report.ok, report.tables.map(({ equal }) => equal)], [true, [true, true, true]]);
    const about = (await planPipeline(scenario, scenario.name)).filter(({ object }) => /_kafka$|_mv$/.test(object));
    const engine = about.filter(({ detail }) => /by the stream/.test(detail));
    assert.deepEqual(
      engine.map(({ object, action }) => `${action} ${object.split('.')[1]}`).sort(),
      OBJECTS.map((each) => `none ${each}`),
    );
    assert.deepEqual(
      (await planLeftovers(scenario, scenario.name)).filter(({ system }) => system === 'clickhouse'),
      [],
    );
  });
});
