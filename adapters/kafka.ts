import { type Admin, Kafka, KafkaJSError, KafkaJSSASLAuthenticationError, logLevel } from 'kafkajs';
import { messageOf, TidegateError } from '../core/errors.ts';
import type { Environment } from './environment.ts';

/** Offsets by `topic:partition`. A partition without a committed offset, or of a missing topic, is not in the map. */
export type Offsets = Map<string, bigint>;

/** The key of a partition in Offsets and in StreamProgress. */
export function partitionKey(topic: string, partition: number): string {
  return `${topic}:${partition}`;
}

/**
 * A kafkajs client of the brokers in KAFKA_BROKERS (`host:port`, separated by commas). It connects when first used.
 * kafkajs's own log is off: what goes wrong is thrown, and thrown errors are shown.
 * @throws TidegateError INVALID_SETTING when KAFKA_BROKERS is missing.
 */
export function openKafka(environment: Environment): Kafka {
  return new Kafka({
    clientId: 'tidegate',
    brokers: environment
      .required('KAFKA_BROKERS')
      .split(',')
      .map((broker) => broker.trim()),
    logLevel: logLevel.NOTHING,
    connectionTimeout: 3000,
    requestTimeout: 30_000,
    retry: { initialRetryTime: 100, maxRetryTime: 5000, retries: 8 },
  });
}

/**
 * Topics and offsets of one cluster. Its methods throw TidegateError SERVICE_UNREACHABLE when the brokers do not answer
 * and ACCESS_DENIED when they refuse the user.
 */
export class KafkaAdmin {
  readonly #admin: Admin;

  private constructor(admin: Admin) {
    this.#admin = admin;
  }

  static async open(kafka: Kafka): Promise<KafkaAdmin> {
    const admin = kafka.admin();
    await asTidegateError(() => admin.connect());
    return new KafkaAdmin(admin);
  }

  async close(): Promise<void> {
    await this.#admin.disconnect();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Creates the topics that do not exist; those that exist stay as they are. */
  async createTopics(
    topics: readonly string[],
    options: { partitions?: number; replicationFactor?: number; config?: Record<string, string> } = {},
  ): Promise<void> {
    const configEntries = Object.entries(options.config ?? {}).map(([name, value]) => ({ name, value }));
    const existing = new Set(await asTidegateError(() => this.#admin.listTopics()));
    const missing = topics.filter((topic) => !existing.has(topic));
    if (missing.length === 0) return;
    await asTidegateError(() =>
      this.#admin.createTopics({
        waitForLeaders: true,
        topics: missing.map((topic) => ({
          topic,
          numPartitions: options.partitions ?? 1,
          replicationFactor: options.replicationFactor ?? 1,
          configEntries,
        })),
      }),
    );
  }

  /** Deletes the topics that exist. */
  async deleteTopics(topics: readonly string[]): Promise<void> {
    const existing = await this.#existing(topics);
    if (existing.length > 0) await asTidegateError(() => this.#admin.deleteTopics({ topics: existing }));
  }

  /** The offset that follows the last message of each partition. */
  async endOffsets(topics: readonly string[]): Promise<Offsets> {
    return await this.#topicOffsets(topics, 'high');
  }

  /** The offset of the first message that each partition still retains. */
  async earliestOffsets(topics: readonly string[]): Promise<Offsets> {
    return await this.#topicOffsets(topics, 'low');
  }

  /** What the group has committed: the offset of the next message it will read, by partition. */
  async committedOffsets(group: string, topics: readonly string[]): Promise<Offsets> {
    const existing = await this.#existing(topics);
    if (existing.length === 0) return new Map();
    const responses = await asTidegateError(() => this.#admin.fetchOffsets({ groupId: group, topics: existing }));
    return new Map(
      responses.flatMap(({ topic, partitions }) =>
        partitions
          .map(({ partition, offset }): [string, bigint] => [partitionKey(topic, partition), BigInt(offset)])
          .filter(([, offset]) => offset >= 0n),
      ),
    );
  }

  /**
   * Commits the topics' present ends for the group, so that it skips everything before them. The group must have no
   * running member.
   */
  async moveGroupToEnds(group: string, topics: readonly string[]): Promise<void> {
    for (const topic of await this.#existing(topics)) {
      await asTidegateError(async () => {
        const ends = await this.#admin.fetchTopicOffsets(topic);
        const partitions = ends.map(({ partition, high }) => ({ partition, offset: high }));
        await this.#admin.setOffsets({ groupId: group, topic, partitions });
      });
    }
  }

  async #existing(topics: readonly string[]): Promise<string[]> {
    const existing = new Set(await asTidegateError(() => this.#admin.listTopics()));
    return topics.filter((topic) => existing.has(topic));
  }

  async #topicOffsets(topics: readonly string[], which: 'high' | 'low'): Promise<Offsets> {
    const offsets: Offsets = new Map();
    for (const topic of await this.#existing(topics)) {
      for (const found of await asTidegateError(() => this.#admin.fetchTopicOffsets(topic))) {
        offsets.set(partitionKey(topic, found.partition), BigInt(found[which]));
      }
    }
    return offsets;
  }
}

/** Turns what kafkajs throws into the catalogue's errors; anything else passes. */
export async function asTidegateError<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw kafkaError(error);
  }
}

/** The catalogue's error for what kafkajs threw: ACCESS_DENIED for a refused user, else SERVICE_UNREACHABLE. */
export function kafkaError(error: unknown): unknown {
  if (!(error instanceof KafkaJSError)) return error;
  if (error instanceof KafkaJSSASLAuthenticationError) {
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
