import { setTimeout as sleep } from 'node:timers/promises';
import kafkajs, { type Consumer, type EachBatchPayload, type Kafka } from 'kafkajs';
import type { Environment } from '../adapters/environment.ts';
import { committedOffsets, earliestOffsets, endOffsets, kafkaError, openKafka } from '../adapters/kafka.ts';
import type { LossReport } from '../core/activityTypes.ts';
import { TidegateError } from '../core/errors.ts';
import { partitionKey, partitionOf } from '../core/partitions.ts';

/**
 * A member of the consumer group that was killed is forgotten after this time, and only then are its partitions given
 * to another: the shortest that leaves room for a few missed heartbeats.
 */
const SESSION_TIMEOUT_MS = 10_000;
const HEARTBEAT_INTERVAL_MS = 2000;
/** Also how long stopping may have to wait for an answer of the broker. */
const FETCH_WAIT_MS = 250;
/** How long a partition that is added to a topic may go unnoticed. */
const METADATA_AGE_MS = 10_000;
/** The messages of an answer are in memory all at once: of larger ones, more outlive a collection of young objects. */
const BYTES_PER_PARTITION = 256 * 1024;
/** Partitions whose messages are taken in side by side, so that one that waits for room holds up no other. */
const PARTITIONS_AT_ONCE = 4;
/** With pauses that grow to five seconds: a broker may be away for about half a minute. */
const PATIENT_RETRIES = 12;
const DISCONNECT_PATIENCE_MS = 5000;

export interface ReaderOptions {
  environment: Environment;
  group: string;
  topics: readonly string[];
  /** Those of them that a group without a commit reads from the first message that there still is. */
  lateTopics: readonly string[];
  /**
   * Is given the messages of one partition. It must not go on with them, nor resolve offsets, once `current()` has
   * turned false: then they are read again from the committed offset.
   */
  onBatch: (payload: EachBatchPayload, current: () => boolean) => Promise<void>;
  /** The group has been joined anew: whatever was read and is not committed will be read again. */
  onRejoin: () => void;
  /** Where reading begins, after each join. */
  onPositions: (topic: string, next: ReadonlyMap<number, bigint>) => void;
}

/**
 * Reads topics as a member of a consumer group, without ever resetting an offset silently. kafkajs keeps positions of
 * its own that may mix with batches fetched before a rebalance, so after each join every partition is moved explicitly
 * to what the group has committed, and batches of the time before are dropped.
 */
export class TopicReader {
  readonly #options: ReaderOptions;
  readonly #kafka: Kafka;
  readonly #consumer: Consumer;
  readonly #failure = Promise.withResolvers<never>();
  #generation = 0;
  #positioned: Promise<void> = Promise.resolve();
  #starting: Promise<void> = Promise.resolve();
  #stopping = false;
  #broken = false;
  /** Set once messages were found to be lost; then nothing else is what reading fails of. */
  #lost: Promise<void> | null = null;

  constructor(options: ReaderOptions) {
    this.#options = options;
    const onError = (message: string) => this.#refuseReset(message);
    this.#kafka = openKafka(options.environment, { retries: PATIENT_RETRIES, onError });
    this.#consumer = this.#kafka.consumer({
      groupId: options.group,
      sessionTimeout: SESSION_TIMEOUT_MS,
      rebalanceTimeout: 2 * SESSION_TIMEOUT_MS,
      heartbeatInterval: HEARTBEAT_INTERVAL_MS,
      maxWaitTimeInMs: FETCH_WAIT_MS,
      maxBytesPerPartition: BYTES_PER_PARTITION,
      metadataMaxAge: METADATA_AGE_MS,
      allowAutoTopicCreation: false,
      // kafkajs would begin again by itself, without this class knowing: whoever runs the stream decides that.
      retry: { retries: PATIENT_RETRIES, restartOnFailure: async () => false },
    });
    this.#failure.promise.catch(() => undefined);
  }

  /** Rejects when reading cannot go on: OFFSET_LOST, SERVICE_UNREACHABLE, ACCESS_DENIED. Never resolves. */
  get failed(): Promise<never> {
    return this.#failure.promise;
  }

  /** Grows with each join; a commit belongs to the generation in which its messages were read. */
  get generation(): number {
    return this.#generation;
  }

  /** Joins the group and begins to read. Returns when joined, or fails as `failed` does. */
  async start(): Promise<void> {
    this.#starting = this.#start();
    await this.#starting;
  }

  async #start(): Promise<void> {
    await startingOffsets(this.#kafka, this.#options);
    const { GROUP_JOIN, CRASH } = this.#consumer.events;
    this.#consumer.on(GROUP_JOIN, ({ payload }) => this.#joined(payload.memberAssignment));
    this.#consumer.on(CRASH, ({ payload }) => this.#fail(kafkaError(payload.error)));
    try {
      await this.#consumer.connect();
      await this.#consumer.subscribe({ topics: [...this.#options.topics], fromBeginning: true });
      if (this.#stopping) return;
      await this.#consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        partitionsConsumedConcurrently: PARTITIONS_AT_ONCE,
        eachBatch: (payload) => this.#batch(payload),
      });
    } catch (error) {
      throw kafkaError(error);
    }
  }

  /**
   * Commits for the generation in which the messages were read; false when the group has been joined anew since, or
   * reading has failed, so that they will be read again.
   */
  async commit(topic: string, next: ReadonlyMap<number, bigint>, generation: number): Promise<boolean> {
    if (generation !== this.#generation || this.#broken) return false;
    const offsets = [...next].map(([partition, offset]) => ({ topic, partition, offset: String(offset) }));
    try {
      await this.#consumer.commitOffsets(offsets);
    } catch (error) {
      if (generation !== this.#generation || isRebalance(error)) return false;
      throw kafkaError(error);
    }
    return true;
  }

  /** Fetches nothing more; the membership stays, so that what was read can still be committed. */
  pause(): void {
    this.#stopping = true;
    // kafkajs knows no topics to pause before it has been told to run, nor after it has failed.
    if (this.#generation > 0 && !this.#broken) this.#consumer.pause(this.#options.topics.map((topic) => ({ topic })));
  }

  /** Leaves the group. Never throws: a member that cannot leave is forgotten by the broker. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const gaveUp = new AbortController();
    const leaving = this.#starting
      .then(
        () => undefined,
        () => undefined,
      )
      .then(() => this.#consumer.disconnect());
    const patience = sleep(DISCONNECT_PATIENCE_MS, undefined, { signal: gaveUp.signal }).catch(() => undefined);
    await Promise.race([leaving.catch(() => undefined), patience]);
    gaveUp.abort();
  }

  async #batch(payload: EachBatchPayload): Promise<void> {
    const generation = this.#generation;
    await this.#positioned;
    const current = () =>
      !this.#stopping && generation === this.#generation && payload.isRunning() && !payload.isStale();
    if (current()) await this.#options.onBatch(payload, current);
  }

  #joined(assignment: Record<string, number[]>): void {
    const generation = ++this.#generation;
    this.#options.onRejoin();
    this.#positioned = this.#position(assignment, generation).catch((error) => this.#fail(error));
  }

  async #position(assignment: Record<string, number[]>, generation: number): Promise<void> {
    const starting = await startingOffsets(this.#kafka, this.#options);
    if (generation !== this.#generation) return;
    for (const [topic, partitions] of Object.entries(assignment)) {
      const next = new Map(partitions.map((partition) => [partition, starting.get(partitionKey(topic, partition))!]));
      for (const [partition, offset] of next) this.#consumer.seek({ topic, partition, offset: String(offset) });
      this.#options.onPositions(topic, next);
    }
  }

  /** kafkajs logs that it is about to reset an offset; an error thrown here keeps it from doing so. */
  #refuseReset(message: string): void {
    if (!message.startsWith('Offset out of range, resetting')) return;
    this.#broken = true;
    // Which messages they were says what can be done about it.
    this.#lost ??= startingOffsets(this.#kafka, this.#options)
      .then(
        () => changesLost('messages were removed before they were read'),
        (error) => error,
      )
      .then((error) => this.#failure.reject(error));
    throw new kafkajs.KafkaJSNonRetriableError('offset out of range');
  }

  #fail(error: unknown): void {
    this.#broken = true;
    if (this.#lost === null) this.#failure.reject(error);
  }
}

/**
 * What the group has committed, by `topic:partition`; the first offset there ever was for a partition without a commit.
 * @throws TidegateError OFFSET_LOST when such an offset is no longer, or not yet, in the topic.
 */
export async function startingOffsets(
  kafka: Kafka,
  { group, topics, lateTopics }: Pick<ReaderOptions, 'group' | 'topics' | 'lateTopics'>,
): Promise<Map<string, bigint>> {
  const committed = await committedOffsets(kafka, { group, topics });
  const ends = await endOffsets(kafka, topics);
  const starting = new Map<string, bigint>();
  for (const [partition, earliest] of await earliestOffsets(kafka, topics)) {
    const late = lateTopics.includes(partitionOf(partition).topic);
    const next = committed.get(partition) ?? (late ? earliest : 0n);
    const end = ends.get(partition);
    const lost = late ? eventsLost : changesLost;
    if (next < earliest) throw lost(`${partition} is read up to ${next} but begins at ${earliest} by now`);
    if (end !== undefined && next > end) throw lost(`${partition} is read up to ${next} but ends at ${end}`);
    starting.set(partition, next);
  }
  const missing = topics.find((topic) => !starting.has(partitionKey(topic, 0)));
  if (missing) {
    throw new TidegateError('SOURCE_NOT_READY', `the topic ${missing} does not exist`, {
      remedy: `Create it with 'npx tidegate apply'.`,
    });
  }
  return starting;
}

/** The broker refuses a commit of a member that has to join anew; the reader notices by its next heartbeat. */
function isRebalance(error: unknown): boolean {
  for (let each = error; each instanceof Error; each = each.cause) {
    const { type } = each as { type?: string };
    if (type === 'REBALANCE_IN_PROGRESS' || type === 'ILLEGAL_GENERATION' || type === 'UNKNOWN_MEMBER_ID') return true;
  }
  return false;
}

/** The failure that lets an operator load the tables anew. @param what where, and up to where it was read. */
export function changesLost(what: string): TidegateError {
  return new TidegateError('OFFSET_LOST', `changes were lost between Kafka and ClickHouse: ${what}`, {
    remedy: 'Resume the stream, which then loads its tables anew; and let Kafka retain messages for longer.',
  });
}

/** No source has them a second time. */
function eventsLost(what: string): TidegateError {
  const details: LossReport = { kind: 'events' };
  return new TidegateError('OFFSET_LOST', `events were lost between Kafka and ClickHouse: ${what}`, {
    remedy:
      'Resume the stream, which then goes on with those there still are; and let Kafka retain messages for longer.',
    details,
  });
}
