import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { loadEnvironment } from '../../adapters/environment.ts';
import {
  committedOffsets,
  createTopics,
  deleteTopics,
  earliestOffsets,
  endOffsets,
  moveGroupToEnds,
  openKafka,
} from '../../adapters/kafka.ts';
import { TidegateError } from '../../core/errors.ts';
import { sendTo, uniqueName } from './streamSupport.ts';

const kafka = openKafka(loadEnvironment());
const [one, two, missing] = ['one', 'two', 'missing'].map((each) => `${uniqueName('kafkalab')}.${each}`) as [
  string,
  string,
  string,
];
const topics = [one, two];

after(async () => await deleteTopics(kafka, topics));

test('topics are created once, with the partitions asked for', async () => {
  await createTopics(kafka, [one], { partitions: 2 });
  await createTopics(kafka, topics, { partitions: 1 });
  const ends = await endOffsets(kafka, topics);
  assert.deepEqual([...ends.keys()].sort(), [`${one}:0`, `${one}:1`, `${two}:0`].sort());
});

test('a missing topic has no offsets, and asking does not create it', async () => {
  assert.equal((await endOffsets(kafka, [missing])).size, 0);
  assert.equal((await committedOffsets(kafka, { group: 'kafkalab', topics: [missing] })).size, 0);
  assert.equal((await endOffsets(kafka, [missing])).size, 0);
});

test('a group that has committed nothing has no offsets', async () => {
  assert.equal((await committedOffsets(kafka, { group: uniqueName('kafkalab'), topics })).size, 0);
});

test('a group moves to the ends of all its topics, the empty ones too', async () => {
  const group = uniqueName('kafkalab');
  await sendTo(kafka, one, ['a', 'b', 'c'], 1);
  await moveGroupToEnds(kafka, { group, topics: [...topics, missing] });
  const expected = [
    [`${one}:0`, 0n],
    [`${one}:1`, 3n],
    [`${two}:0`, 0n],
  ].sort();
  assert.deepEqual([...(await committedOffsets(kafka, { group, topics }))].sort(), expected);
  assert.deepEqual([...(await endOffsets(kafka, topics))].sort(), expected);
  assert.equal((await earliestOffsets(kafka, [one])).get(`${one}:1`), 0n);
});

test('a broker that does not answer is SERVICE_UNREACHABLE', async () => {
  const nowhere = openKafka(loadEnvironment().with({ KAFKA_BROKERS: '127.0.0.1:1' }));
  await assert.rejects(
    endOffsets(nowhere, topics),
    (error) => error instanceof TidegateError && error.code === 'SERVICE_UNREACHABLE',
  );
});
