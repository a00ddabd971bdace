import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { committedOffsets, endOffsets } from '../../adapters/kafka.ts';
import type { Scenario } from './harness.ts';
import { FaultLab } from './writer.ts';

suite('bad, repeated and lost messages, while rows are written: source and target are equal after', () => {
  let lab: FaultLab;
  let scenario: Scenario;

  before(async () => {
    lab = await FaultLab.open({ label: 'faultmsg' });
    scenario = lab.scenario;
  });
  after(() => lab?.[Symbol.asyncDispose]());

  const letters = async () => {
    const [row] = await scenario.clickhouse.rows<{ letters: string }>(
      `SELECT count() AS letters FROM ${scenario.name}.dead_letters FINAL`,
    );
    return Number(row?.letters);
  };

  const wrong = (values: Buffer[]) =>
    values
      .find((value) => value.includes('"op":"c"'))!
      .toString()
      .replace(/"n":\d+/, '"n":"x"');

  test('messages repeated', () => lab.whileWriting(() => lab.send((values) => values)));

  test('messages reordered', () => lab.whileWriting(() => lab.send((values) => values.toReversed())));

  for (const [kind, make] of [
    ['not JSON', () => 'not JSON'],
    ['of a wrong type', wrong],
  ] as const) {
    test(`a message ${kind}`, () =>
      lab.whileWriting(async () => {
        const earlier = await letters();
        await lab.send((values) => [make(values)]);
        await lab.until('a dead letter', async () => (await letters()) === earlier + 1);
      }));
  }

  for (const deathAt of ['before keeping', 'after keeping'] as const) {
    test(`kill -9 of the worker ${deathAt} a dead letter`, async () => {
      const earlier = await letters();
      await lab.whileWriting(async () => {
        await scenario.stopWorkers();
        await lab.send((values) => [wrong(values), 'not JSON']);
        scenario.startWorkers(deathAt);
        await scenario.workersEnded();
        assert.equal(await letters(), deathAt === 'before keeping' ? earlier : earlier + 2);
        scenario.startWorkers();
      });
      assert.equal(await letters(), earlier + 2);
    });
  }

  test('topic retention passing the consumer: the stream stops and says so, and resuming it loads the tables anew', () =>
    lab.whileWriting(async () => {
      const { topics, kafka, temporal, name, pipeline } = scenario;
      const [topic] = topics as [string];
      await scenario.pause();
      const committed = await committedOffsets(kafka, { group: pipeline.stream.consumerGroup, topics });
      const end = async () => (await endOffsets(kafka, [topic])).get(`${topic}:0`)!;
      await lab.until('changes wait', async () => (await end()) > committed.get(`${topic}:0`)! + 5n);
      await removeMessages(topic, await end());
      await temporal.signalStream(name, 'resume');
      const status = async () => (await scenario.status())!.status;
      await lab.until('the stream stops', async () => (await status()).phase === 'failed');
      assert.equal((await status()).lastError?.code, 'OFFSET_LOST');
      assert.match((await status()).reason, /changes were lost .* Resume the stream, which then loads its tables anew/);
      const earlier = await scenario.snapshots();
      await temporal.signalStream(name, 'resume');
      await lab.until('a snapshot', async () => (await scenario.snapshots()) > earlier);
      await scenario.waitUntilStreaming();
    }));

  /** As retention does. */
  async function removeMessages(topic: string, before: bigint): Promise<void> {
    const admin = scenario.kafka.admin();
    await admin.connect();
    // kafkajs deletes from topics only whose leaders it has looked up.
    await admin.fetchTopicOffsets(topic);
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: String(before) }] });
    await admin.disconnect();
  }
});
