import { setTimeout as sleep } from 'node:timers/promises';
import kafkajs, { type Admin, Kafka, type LogEntry, logLevel, type TopicPartitionOffset } from 'kafkajs';
import { messageOf, TidegateError } from '../core/errors.ts';
import { partitionKey } from '../core/partitions.ts';
import type { Environment } from './environment.ts';

/** Offsets by `topic:partition`. A partition without a committed offset, or of a missing topic, is not in the map. */
export type Offsets = Map<string, bigint>;

/**
 * A kafkajs client of the brokers in KAFKA_BROKERS (`host:port`, separated by commas). It connects when first used.
 * kafkajs's own log is not printed: what goes wrong is thrown, and thrown errors are shown.
 * @param options.retries how often a request is tried again: by default for about two seconds, as a person waits.
 * @param options.onError is given each message that kafkajs logs as an error, before kafkajs acts on it; what it throws
 * stops that action.
 * @throws TidegateError INVALID_SETTING when KAFKA_BROKERS is missing.
 */
export function openKafka(
  environment: Environment,
  options: { retries?: number; onError?: (message: string) => void } = {},
): Kafka {
  hushNegativeTimeouts();
  const { onError } = options;
  return new Kafka({
    clientId: 'tidegate',
    brokers: environment
      .required('KAFKA_BROKERS')
      .split(',')
      .map((broker) => broker.trim()),
    connectionTimeout: 3000,
    requestTimeout: 30_000,
    retry: { initialRetryTime: 100, maxRetryTime: 5000, retries: options.retries ?? 3 },
    logLevel: onError ? logLevel.ERROR : logLevel.NOTHING,
    ...(onError && { logCreator: () => (entry: LogEntry) => onError(entry.log.message) }),
  });
}

let hushed = false;

/** kafkajs sets a timer to a negative time with each request; Node takes it for 1 ms, which is meant, but warns. */
function hushNegativeTimeouts(): void {
  if (hushed) return;
  hushed = true;
  const emitWarning = process.emitWarning as (...args: unknown[]) => void;
  process.emitWarning = (...args: unknown[]) => {
    if (args[1] !== 'TimeoutNegativeWarning') emitWarning.apply(process, args);
  };
}

/*
 * Topics and offsets. Each function opens a connection of its own and throws TidegateError SERVICE_UNREACHABLE when the
 * brokers do not answer and ACCESS_DENIED when they refuse the user.
 */

/** Names of all topics. */
export async function listTopics(kafka: Kafka): Promise<string[]> {
  return await withAdmin(kafka, (admin) => admin.listTopics());
}

/** Creates the topics that do not exist (1 partition, 1 replica by default); those that exist stay as they are. */
export async function createTopics(
  kafka: Kafka,
  topics: readonly string[],
  options: { partitions?: number; replicationFactor?: number; config?: Record<string, string> } = {},
): Promise<void> {
  const configEntries = Object.entries(options.config ?? {}).map(([name, value]) => ({ name, value }));
  await withAdmin(kafka, async (admin) => {
    const existing = await admin.listTopics();
    const missing = topics.filter((topic) => !existing.includes(topic));
    if (missing.length === 0) return;
    await admin.createTopics({
      waitForLeaders: true,
      topics: missing.map((topic) => ({
        topic,
        numPartitions: options.partitions ?? 1,
        replicationFactor: options.replicationFactor ?? 1,
        configEntries,
      })),
    });
  });
}

/** Deletes those of the topics that exist. */
export async function deleteTopics(kafka: Kafka, topics: readonly string[]): Promise<void> {
  await withAdmin(kafka, async (admin) => {
    const existing = await existingOf(admin, topics);
    if (existing.length > 0) await admin.deleteTopics({ topics: existing });
  });
}

/** Those of the existing topics of which a consumer group has committed an offset. */
export async function groupTopics(kafka: Kafka, group: string): Promise<string[]> {
  return await withAdmin(kafka, async (admin) => {
    const found = await admin.fetchOffsets({ groupId: group });
    const read = found.filter(({ partitions }) => partitions.some(({ offset }) => BigInt(offset) >= 0n));
    return await existingOf(
      admin,
      read.map(({ topic }) => topic),
    );
  });
}

/** Forgets the consumer groups whose names begin so and that have no member; those that have one stay. */
export async function deleteEmptyGroups(kafka: Kafka, prefix: string): Promise<void> {
  await withAdmin(kafka, async (admin) => {
    const all = (await admin.listGroups()).groups.map(({ groupId }) => groupId);
    const named = all.filter((group) => group.startsWith(prefix));
    const { groups } = named.length === 0 ? { groups: [] } : await admin.describeGroups(named);
    const empty = groups.filter(({ members }) => members.length === 0).map(({ groupId }) => groupId);
    if (empty.length > 0) await admin.deleteGroups(empty);
  });
}

/** The offset that follows the last message of each partition. */
export async function endOffsets(kafka: Kafka, topics: readonly string[]): Promise<Offsets> {
  return await topicOffsets(kafka, topics, 'high');
}

/** The offset of the first message that each partition still retains. */
export async function earliestOffsets(kafka: Kafka, topics: readonly string[]): Promise<Offsets> {
  return await topicOffsets(kafka, topics, 'low');
}

/** What the group has committed: the offset of the next message it will read, by partition. */
export async function committedOffsets(
  kafka: Kafka,
  { group, topics }: { group: string; topics: readonly string[] },
): Promise<Offsets> {
  return await withAdmin(kafka, async (admin) => {
    const existing = await existingOf(admin, topics);
    // Asked for no topic, the broker would answer for all of them.
    const found = existing.length === 0 ? [] : await admin.fetchOffsets({ groupId: group, topics: existing });
    const entries = found.flatMap(({ topic, partitions }) =>
      partitions.map(({ partition, offset }): [string, bigint] => [partitionKey(topic, partition), BigInt(offset)]),
    );
    return new Map(entries.filter(([, offset]) => offset >= 0n));
  });
}

/**
 * Commits the topics' present ends for the group, so that it skips everything before them.
 * @throws TidegateError ALREADY_RUNNING when the group still has a running member after half a minute, which is longer
 * than the broker remembers one that was killed.
 */
export async function moveGroupToEnds(
  kafka: Kafka,
  { group, topics }: { group: string; topics: readonly string[] },
): Promise<void> {
  await withAdmin(kafka, async (admin) => {
    const existing = await existingOf(admin, topics);
    if (existing.length === 0) return;
    await waitUntilEmpty(admin, group);
    const ends: TopicPartitionOffset[] = [];
    for (const topic of existing) {
      const partitions = await admin.fetchTopicOffsets(topic);
      ends.push(...partitions.map(({ partition, high }) => ({ topic, partition, offset: high })));
    }
    await commitAsMember(kafka, { group, offsets: ends });
  });
}

/**
 * Commits these offsets for the group; what it has committed elsewhere stays.
 * @throws TidegateError ALREADY_RUNNING as moveGroupToEnds does.
 */
export async function moveGroup(
  kafka: Kafka,
  { group, offsets }: { group: string; offsets: readonly TopicPartitionOffset[] },
): Promise<void> {
  await withAdmin(kafka, async (admin) => {
    await waitUntilEmpty(admin, group);
    await commitAsMember(kafka, { group, offsets });
  });
}

const GROUP_PATIENCE_MS = 30_000;

/** @throws TidegateError ALREADY_RUNNING when the group still has a running member after half a minute. */
export async function waitUntilEmpty(admin: Admin, group: string): Promise<void> {
  const deadline = Date.now() + GROUP_PATIENCE_MS;
  for (;;) {
    const { groups } = await admin.describeGroups([group]);
    const members = groups[0]?.members.length ?? 0;
    if (members === 0) return;
    if (Date.now() > deadline) {
      throw new TidegateError('ALREADY_RUNNING', `consumer group '${group}' has ${members} running member(s)`, {
        remedy: 'Pause the stream first.',
      });
    }
    await sleep(250);
  }
}

/** A broker takes commits from members only, so this joins the group for a moment, reading nothing. */
export async function commitAsMember(
  kafka: Kafka,
  { group, offsets }: { group: string; offsets: readonly TopicPartitionOffset[] },
): Promise<void> {
  const topics = [...new Set(offsets.map(({ topic }) => topic))];
  const consumer = kafka.consumer({ groupId: group, maxWaitTimeInMs: 50, allowAutoTopicCreation: false });
  try {
    await consumer.connect();
    await consumer.subscribe({ topics, fromBeginning: true });
    const joined = new Promise<void>((resolve, reject) => {
      consumer.on(consumer.events.GROUP_JOIN, () => resolve());
      consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
    });
    await Promise.all([
      joined,
      consumer.run({ autoCommit: false, eachBatchAutoResolve: false, eachBatch: async () => undefined }),
    ]);
    consumer.pause(topics.map((topic) => ({ topic })));
    await consumer.commitOffsets([...offsets]);
  } finally {
    await consumer.disconnect();
  }
}

async function topicOffsets(kafka: Kafka, topics: readonly string[], which: 'high' | 'low'): Promise<Offsets> {
  return await withAdmin(kafka, async (admin) => {
    const offsets: Offsets = new Map();
    for (const topic of await existingOf(admin, topics)) {
      for (const found of await admin.fetchTopicOffsets(topic)) {
        offsets.set(partitionKey(topic, found.partition), BigInt(found[which]));
      }
    }
    return offsets;
  });
}

/** Those of the topics that exist. */
export async function existingOf(admin: Admin, topics: readonly string[]): Promise<string[]> {
  const existing = new Set(await admin.listTopics());
  return topics.filter((topic) => existing.has(topic));
}

/** Runs questions on a connection of their own. */
export async function withAdmin<T>(kafka: Kafka, work: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = kafka.admin();
  try {
    await admin.connect();
    return await whileUnsettled(() => work(admin));
  } catch (error) {
    throw kafkaError(error);
  } finally {
    await admin.disconnect();
  }
}

const UNSETTLED_PATIENCE_MS = 10_000;

/**
 * Asks again while the brokers are still finding out who coordinates a group or leads a partition, as they do after a
 * start: kafkajs does not, for some of its questions. Every question here may be asked twice.
 */
async function whileUnsettled<T>(ask: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + UNSETTLED_PATIENCE_MS;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      const unsettled = error instanceof kafkajs.KafkaJSProtocolError && error.retriable;
      if (!unsettled || Date.now() > deadline) throw error;
      await sleep(200);
    }
  }
}

/** The catalogue's error for what kafkajs threw: ACCESS_DENIED for a refused user, else SERVICE_UNREACHABLE. */
export function kafkaError(error: unknown): unknown {
  if (!(error instanceof kafkajs.KafkaJSError)) return error;
  if (error instanceof kafkajs.KafkaJSSASLAuthenticationError) {
    return new TidegateError('ACCESS_DENIED', `Kafka refused the user: ${messageOf(error)}`, {
      remedy: 'Check the credentials of the brokers in KAFKA_BROKERS.',
      cause: error,
    });
  }
  return new TidegateError('SERVICE_UNREACHABLE', `Kafka failed: ${messageOf(error)}`, {
    remedy: 'Check that the brokers in KAFKA_BROKERS run and can be reached.',
    cause: error,
  });
}
