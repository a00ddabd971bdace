import type { Kafka } from 'kafkajs';
import { createTopics, endOffsets, withAdmin } from './kafka.ts';

/** How many partitions each of the topics has that exist. */
export async function partitionCounts(kafka: Kafka, topics: readonly string[]): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (const key of (await endOffsets(kafka, topics)).keys()) {
    const topic = key.slice(0, key.lastIndexOf(':'));
    counts.set(topic, (counts.get(topic) ?? 0) + 1);
  }
  return counts;
}

/**
 * Creates the topics that do not exist, and gives those more partitions that have fewer. A key then moves to another
 * partition, which versions allow for. Replicas of a topic that exists stay as they are.
 */
export async function ensureTopics(
  kafka: Kafka,
  topics: readonly string[],
  { partitions, replicationFactor }: { partitions: number; replicationFactor: number },
): Promise<void> {
  await createTopics(kafka, topics, { partitions, replicationFactor });
  const counts = await partitionCounts(kafka, topics);
  const short = topics.filter((topic) => (counts.get(topic) ?? partitions) < partitions);
  if (short.length === 0) return;
  await withAdmin(kafka, (admin) =>
    admin.createPartitions({ topicPartitions: short.map((topic) => ({ topic, count: partitions })) }),
  );
}
