import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { endOffsets } from '../../adapters/kafka.ts';
import { ensureTopics } from '../../adapters/kafkaTopics.ts';
import { assertHistory, logChanges } from './changeLog.ts';
import { Scenario } from './harness.ts';
import { until } from './until.ts';

suite('topics that are given more partitions, so that keys move to others', () => {
  let scenario: Scenario;

  before(async () => {
    scenario = await Scenario.open({
      label: 'parts',
      ddl: `CREATE TABLE kept (id int PRIMARY KEY, n int); CREATE TABLE told (id int PRIMARY KEY, n int);
        ALTER TABLE told REPLICA IDENTITY FULL; ${logChanges('told')}`,
      tables: { kept: {}, told: { history: { operations: ['c', 'u', 'd'] } } },
    });
  });
  after(() => scenario?.[Symbol.asyncDispose]());

  /** The same keys again and again: inserted, updated, some deleted. */
  async function work(): Promise<void> {
    for (const table of ['kept', 'told']) {
      await scenario.sql(`INSERT INTO ${table} SELECT i, 0 FROM generate_series(1, 30) i ON CONFLICT DO NOTHING`);
      await scenario.sql(`UPDATE ${table} SET n = n + 1; UPDATE ${table} SET n = n + 1 WHERE id % 3 = 0`);
      await scenario.sql(`DELETE FROM ${table} WHERE id % 7 = 0`);
    }
  }

  async function give(partitions: number): Promise<void> {
    await ensureTopics(scenario.kafka, scenario.topics, { partitions, replicationFactor: 1 });
  }

  /** Goes on working until each partition of each topic has messages. */
  async function untilUsed(partitions: number): Promise<void> {
    const used = async () => {
      await work();
      return [...(await endOffsets(scenario.kafka, scenario.topics)).values()].filter((end) => end > 0n).length;
    };
    await until(used, (count) => count === 2 * partitions, {
      ...{ what: 'the new partitions are used', state: () => scenario.describe() },
    });
  }

  async function compare(): Promise<void> {
    await work();
    await scenario.assertEqual('kept');
    const operations = ['c', 'u', 'd'];
    assert.ok((await assertHistory(scenario, { table: 'told', targets: ['told'], operations })) > 100);
  }

  test('while messages wait in the old one', async () => {
    await work();
    await scenario.pause();
    await work();
    await give(2);
    await untilUsed(2);
    await scenario.resume();
    await compare();
  });

  test('while the stream reads them', async () => {
    await give(4);
    await untilUsed(4);
    await compare();
  });
});
