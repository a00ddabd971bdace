import { randomUUID } from 'node:crypto';
import type { Kafka } from 'kafkajs';
import { endOffsets } from '../../adapters/kafka.ts';

/** The values of a topic of one partition, in order, up to its present end. Tombstones are left out. */
export async function readTopic(kafka: Kafka, topic: string): Promise<Buffer[]> {
  const end = (await endOffsets(kafka, [topic])).get(`${topic}:0`) ?? 0n;
  const values: Buffer[] = [];
  if (end === 0n) return values;
  const groupId = `scenario-${randomUUID()}`;
  const consumer = kafka.consumer({ groupId, maxWaitTimeInMs: 50 });
  const done = Promise.withResolvers<void>();
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachMessage: async ({ message }) => {
      if (BigInt(message.offset) < end && message.value !== null) values.push(message.value);
      if (BigInt(message.offset) >= end - 1n) done.resolve();
    },
  });
  await done.promise;
  await consumer.disconnect();
  const admin = kafka.admin();
  await admin.connect();
  await admin.deleteGroups([groupId]);
  await admin.disconnect();
  return values;
}
