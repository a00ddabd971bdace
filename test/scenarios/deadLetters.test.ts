import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { Scenario } from './harness.ts';
import { readTopic } from './topic.ts';
import { until } from './until.ts';

suite('a bad message goes to dead letters, and the rest flows on', () => {
  let scenario: Scenario;

  before(async () => {
    scenario = await Scenario.open({ label: 'dead', tables: ['t'], ddl: 'CREATE TABLE t (id int PRIMARY KEY, v int)' });
    await scenario.sql('INSERT INTO t VALUES (1, 1)');
    await scenario.assertEqual();
  });
  after(() => scenario?.[Symbol.asyncDispose]());

  const letters = async () => {
    const [row] = await scenario.clickhouse.rows<{ count: string }>(
      `SELECT toString(count()) AS count FROM ${scenario.name}.dead_letters FINAL`,
    );
    return Number(row?.count);
  };

  async function sendBad(value: (good: string) => string): Promise<void> {
    const [topic] = scenario.topics as [string];
    const good = (await readTopic(scenario.kafka, topic)).find((each) => each.includes('"op":"c"'))!.toString();
    const earlier = await letters();
    const producer = scenario.kafka.producer();
    await producer.connect();
    await producer.send({ topic, messages: [{ value: value(good) }] });
    await producer.disconnect();
    await scenario.sql('INSERT INTO t SELECT max(id) + 1, 1 FROM t');
    await scenario.assertEqual();
    assert.equal(await until(letters, (count) => count > earlier, { what: 'a dead letter' }), earlier + 1);
  }

  test('a message that is not JSON', () => sendBad(() => 'not JSON'));
  test('a message that is JSON but not an envelope', () => sendBad(() => '{"hello":1}'));
  test('two objects in one message', () => sendBad((good) => `${good}${good}`));
  test('two objects on two lines', () => sendBad((good) => `${good}\n${good}`));
  test('a message with a value of a wrong type', () => sendBad((good) => good.replace(/"v":\d+/, '"v":"x"')));
  test('a message with a value out of range', () => sendBad((good) => good.replace(/"v":\d+/, '"v":3000000000')));
  test('a message that is cut off', () => sendBad((good) => good.slice(0, -20)));
});
