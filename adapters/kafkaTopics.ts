import type { Kafka } from 'kafkajs';
import { createTopics, existingOf, withAdmin } from './kafka.ts';

/** How many partitions each of the topics has that exist. */
export async function partitionCounts(kafka: Kafka, topics: readonly string[]): Promise<Map<string, number>> {
  return await withAdmin(kafka, async (admin) => {
    const asked = await existingOf(admin, topics);
    // Asked for no topic, the broker would answer for all of them.
    const found = asked.length === 0 ? [] : (await admin.fetchTopicMetadata({ topics: asked })).topics;
    return new Map(found.map(({ name, partitions }) => [name, partitions.length]));
  });
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
  const counts = partitions > 1 ? await partitionCounts(kafka, topics) : new Map<string, number>();
  const short = topics.filter((topic) => (counts.get(topic) ?? partitions) < partitions);
  if (short.length === 0) return;
  await withAdmin(kafka, (admin) =>
    admin.createPartitions({ topicPartitions: short.map((topic) => ({ topic, count: partitions })) }),
  );
}
