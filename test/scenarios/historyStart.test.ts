import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { createTopics } from '../../adapters/kafka.ts';
import { topicOf } from '../../core/names.ts';
import { Scenario } from './harness.ts';

const STARTS = ['earliest', 'latest', '1h'] as const;
const nameOf = (start: string) => `from_${start}`;
const MINUTE_MS = 60_000;

suite('a history of a topic that was there before it begins', () => {
  let scenario: Scenario;

  before(async () => {
    scenario = await Scenario.open({
      ...{ label: 'starts', stream: { partitions: 2 }, start: false },
      ddl: STARTS.map(
        (start) =>
          `CREATE TABLE ${nameOf(start)} (id int PRIMARY KEY); ALTER TABLE ${nameOf(start)} REPLICA IDENTITY FULL;`,
      ).join('\n'),
      tables: Object.fromEntries(STARTS.map((start) => [nameOf(start), { history: { operations: ['c'], start } }])),
    });
    const topics = scenario.pipeline.tables.map((table) => topicOf(scenario.pipeline, table));
    await createTopics(scenario.kafka, topics, { partitions: 2 });
    const producer = scenario.kafka.producer();
    await producer.connect();
    // Old ones in both partitions, young ones in the first alone.
    for (const topic of topics) {
      await producer.send({ topic, messages: [message(1, 0, 600), message(2, 1, 600), message(3, 0, 0)] });
    }
    await producer.disconnect();
    await scenario.start();
  });
  after(() => scenario?.[Symbol.asyncDispose]());

  async function ids(start: string): Promise<number[]> {
    await scenario.waitUntilCaughtUp();
    const rows = await scenario.clickhouse.rows<{ id: number }>(
      `SELECT id FROM ${scenario.name}.${nameOf(start)} FINAL ORDER BY id`,
    );
    return rows.map(({ id }) => id);
  }

  test('begins with what the topic holds, with what is to come, or with what came lately', async () => {
    for (const start of STARTS) await scenario.sql(`INSERT INTO ${nameOf(start)} VALUES (10)`);
    assert.deepEqual(await ids('earliest'), [1, 2, 3, 10]);
    assert.deepEqual(await ids('latest'), [10]);
    assert.deepEqual(await ids('1h'), [3, 10]);
  });

  test('goes on where it stopped after a restart, whatever the start', async () => {
    await scenario.stopWorkers();
    for (const start of STARTS) await scenario.sql(`INSERT INTO ${nameOf(start)} VALUES (11), (12), (13)`);
    scenario.startWorkers();
    assert.deepEqual(await ids('latest'), [10, 11, 12, 13]);
    assert.deepEqual(await ids('1h'), [3, 10, 11, 12, 13]);
    assert.deepEqual(await ids('earliest'), [1, 2, 3, 10, 11, 12, 13]);
  });
});

/** An insert as Debezium writes it, so many minutes ago. */
function message(id: number, partition: number, minutes: number) {
  const at = Date.now() - minutes * MINUTE_MS;
  const source = { lsn: 1000 + id, txId: id, ts_ms: at, ts_us: at * 1000 };
  const value = JSON.stringify({ before: null, after: { id }, source, op: 'c', ts_ms: at });
  return { key: String(id), value, partition, timestamp: String(at) };
}
