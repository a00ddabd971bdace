import type { Kafka, TopicPartitionOffset } from 'kafkajs';
import type { HistoryStart } from '../core/definitionHistory.ts';
import { commitAsMember, committedOffsets, partitionKey, waitUntilEmpty, withAdmin } from './kafka.ts';

/**
 * Commits where the group begins to read each topic. A partition that it has read already stays where it is, unless the
 * topic no longer, or not yet, has that place: then it begins anew.
 * @throws TidegateError ALREADY_RUNNING when the group still has a running member after half a minute.
 */
export async function startGroup(
  kafka: Kafka,
  { group, starts }: { group: string; starts: readonly { topic: string; start: HistoryStart }[] },
): Promise<void> {
  const topics = starts.map(({ topic }) => topic);
  if (topics.length === 0) return;
  const committed = await committedOffsets(kafka, { group, topics });
  const offsets = await withAdmin(kafka, async (admin) => {
    await waitUntilEmpty(admin, group);
    const begun: (TopicPartitionOffset & { topic: string })[] = [];
    for (const { topic, start } of starts) {
      const since =
        typeof start === 'string'
          ? []
          : await admin.fetchTopicOffsetsByTimestamp(topic, Date.now() - start.seconds * 1000);
      for (const { partition, low, high } of await admin.fetchTopicOffsets(topic)) {
        const read = committed.get(partitionKey(topic, partition));
        if (read !== undefined && read >= BigInt(low) && read <= BigInt(high)) continue;
        const named = { earliest: low, latest: high };
        const offset =
          typeof start === 'string'
            ? named[start]
            : (since.find((each) => each.partition === partition)?.offset ?? high);
        begun.push({ topic, partition, offset });
      }
    }
    return begun;
  });
  if (offsets.length > 0) await commitAsMember(kafka, { group, topics, offsets });
}
