import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { DeadLetters } from '../../activities/deadLetters.ts';
import { connectPostgres } from '../../adapters/postgres.ts';
import { Scenario } from './harness.ts';
import { readTopic } from './topic.ts';
import { until } from './until.ts';

suite('messages that come again, and a database that is idle', () => {
  let scenario: Scenario;

  before(async () => {
    scenario = await Scenario.open({
      ...{ label: 'msg', tables: ['items'] },
      ddl: 'CREATE TABLE items (id int PRIMARY KEY, v text); CREATE TABLE unpublished (id int)',
    });
    for (let i = 0; i < 20; i++) {
      await scenario.sql(`
        INSERT INTO items SELECT n, 'first ' || ${i} FROM generate_series(${i * 10}, ${i * 10 + 9}) n;
        UPDATE items SET v = v || '+${i}' WHERE id % 3 = 0; UPDATE items SET id = -id WHERE id % 7 = ${i % 7} AND id > 0;
        DELETE FROM items WHERE id % 11 = ${i % 11}`);
    }
    await scenario.assertEqual();
  });
  after(() => scenario?.[Symbol.asyncDispose]());

  async function produceAgain(order: (values: Buffer[]) => Buffer[]): Promise<void> {
    const [topic] = scenario.topics as [string];
    const producer = scenario.kafka.producer();
    await producer.connect();
    const messages = order(await readTopic(scenario.kafka, topic)).map((value) => ({ value }));
    await producer.send({ topic, messages });
    await producer.disconnect();
  }

  test('every message repeated', async () => {
    await produceAgain((values) => values);
    await scenario.assertEqual();
  });

  test('every message repeated in the opposite order, and some of them after newer changes', async () => {
    await produceAgain((values) => values.toReversed());
    await scenario.sql("UPDATE items SET v = 'newer' WHERE id % 2 = 0; DELETE FROM items WHERE id % 5 = 1");
    await produceAgain((values) => values.filter((_, index) => index % 3 === 0));
    await scenario.assertEqual();
  });

  test('a tombstone, which Kafka keeps for compaction', async () => {
    const [topic] = scenario.topics as [string];
    const producer = scenario.kafka.producer();
    await producer.connect();
    await producer.send({ topic, messages: [{ key: '{"id":1}', value: null }] });
    await producer.disconnect();
    await scenario.sql("INSERT INTO items VALUES (1000, 'after it')");
    await scenario.assertEqual();
  });

  test('columns that the source never had are a dead letter, and the rest flows on', async () => {
    const [topic] = scenario.topics as [string];
    const source = '"source":{"lsn":1,"ts_ms":1},"op":"c"';
    const values = [
      '{"after":{"unknown":1}}',
      `{"before":null,"after":{"id":1,"v":"a","unknown":1},${source}}`,
      `{"before":null,"after":{"id":1},${source}}`,
      `{"before":{"x":1},"after":{"id":1,"v":"a"},${source}}`,
    ];
    const producer = scenario.kafka.producer();
    await producer.connect();
    await producer.send({ topic, messages: values.map((value) => ({ value })) });
    await producer.disconnect();
    await scenario.sql("INSERT INTO items VALUES (2000, 'after them')");
    await scenario.assertEqual();
    const letters = await new DeadLetters(scenario.clickhouse, scenario.pipeline).find({});
    assert.deepEqual(letters.map(({ value }) => value.toString()).sort(), values.toSorted());
    const { status } = (await scenario.status())!;
    assert.deepEqual([status.phase, status.attempts, status.schema.changes], ['streaming', 0, []]);
  });

  test('the slot advances while only other tables and other databases are written', async () => {
    const { admin } = scenario.source;
    const server = await connectPostgres(scenario.environment.url('POSTGRES_URL'), {
      applicationName: 'tidegate scenario',
    });
    await scenario.sql('INSERT INTO unpublished SELECT generate_series(1, 10000)');
    await server.query("SELECT pg_logical_emit_message(false, 'elsewhere', repeat('x', 1000000))");
    await server.end();
    const { rows } = await admin.query<{ lsn: string }>('SELECT pg_current_wal_insert_lsn()::text AS lsn');
    const confirmed = async () => {
      const slots = await admin.query<{ beyond: boolean }>(
        'SELECT confirmed_flush_lsn >= $1::pg_lsn AS beyond FROM pg_replication_slots WHERE slot_name = $2',
        [rows[0]!.lsn, scenario.pipeline.stream.slot],
      );
      return slots.rows[0]?.beyond;
    };
    assert.equal(await until(confirmed, (beyond) => beyond === true, { what: 'the idle slot advances' }), true);
  });
});
