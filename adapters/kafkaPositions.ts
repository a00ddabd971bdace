import type { Admin, Kafka, TopicPartitionOffset } from 'kafkajs';
import type { HistoryStart } from '../core/definitionHistory.ts';
import { partitionKey } from '../core/partitions.ts';
import { commitAsMember, committedOffsets, waitUntilEmpty, withAdmin } from './kafka.ts';

/** A topic, and where a group begins that has read nothing of it yet. */
export interface TopicStart {
  topic: string;
  start: HistoryStart;
  /** It has begun before, though perhaps nothing of it was committed: every message from then on is read. */
  begun: boolean;
}

/**
 * Commits where the group begins to read each topic that it has read nothing of, unless that is the topic's first message:
 * there it begins by itself, and so it does in a partition that is added later.
 * @param options.lost what becomes of a partition whose committed place the topic no longer, or not yet, has.
 * @throws TidegateError ALREADY_RUNNING when there is something to commit and the group still has a running member after
 * half a minute.
 */
export async function startGroup(
  kafka: Kafka,
  { group, starts, lost }: { group: string; starts: readonly TopicStart[]; lost: 'keep' | 'begin anew' },
): Promise<void> {
  const topics = starts.map(({ topic }) => topic);
  if (topics.length === 0) return;
  const committed = await committedOffsets(kafka, { group, topics });
  const offsets = await withAdmin(kafka, async (admin) => {
    const begun: (TopicPartitionOffset & { topic: string })[] = [];
    for (const each of starts) {
      const { topic } = each;
      const read = await partitionsOf(admin, each);
      const fresh = !each.begun && read.every(({ partition }) => !committed.has(partitionKey(topic, partition)));
      for (const { partition, low, high, first } of read) {
        const next = committed.get(partitionKey(topic, partition));
        const isLost = next !== undefined && (next < BigInt(low) || next > BigInt(high));
        // Where nothing is committed, reading begins with the topic's first message anyhow.
        const elsewhere = fresh && first !== '0';
        if (elsewhere || (isLost && lost === 'begin anew')) begun.push({ topic, partition, offset: first });
      }
    }
    if (begun.length > 0) await waitUntilEmpty(admin, group);
    return begun;
  });
  if (offsets.length > 0) await commitAsMember(kafka, { group, offsets });
}

/** The partitions of a topic, with the offsets of their ends, and of the first message that `start` asks for. */
async function partitionsOf(
  admin: Admin,
  { topic, start }: Pick<TopicStart, 'topic' | 'start'>,
): Promise<{ partition: number; low: string; high: string; first: string }[]> {
  const since =
    typeof start === 'string' ? [] : await admin.fetchTopicOffsetsByTimestamp(topic, Date.now() - start.seconds * 1000);
  return (await admin.fetchTopicOffsets(topic)).map(({ partition, low, high }) => {
    const named = { earliest: low, latest: high };
    // Where no message is as young, kafkajs gives the end.
    const first =
      typeof start === 'string' ? named[start] : (since.find((each) => each.partition === partition)?.offset ?? high);
    return { partition, low, high, first };
  });
}
