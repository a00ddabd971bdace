import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Consumer, EachBatchPayload, Kafka } from 'kafkajs';
import { partitionKey, partitionOf } from '../core/partitions.ts';
import { earliestOffsets, endOffsets, kafkaError, type Offsets, withAdmin } from './kafka.ts';

export interface TailedMessage {
  topic: string;
  partition: number;
  offset: bigint;
  /** When it was sent, epoch milliseconds. */
  sentMs: number;
  /** Whether it was there before the tail began. */
  old: boolean;
  value: Buffer;
}

/** Where a tail begins: with the last messages of all topics together, at a time (epoch milliseconds), or at an end. */
export type TailStart = { last: number } | { sinceMs: number } | 'earliest' | 'latest';

export interface TailOptions {
  topics: readonly string[];
  start: TailStart;
  /** Whether to go on with messages that come later. */
  follow: boolean;
  signal: AbortSignal;
  /** Is given one message of a partition at a time; while it takes its time, it calls `beat` every second or so. */
  onMessage: (message: TailedMessage, beat: () => Promise<void>) => Promise<void>;
}

const FETCH_WAIT_MS = 100;
/** Each partition's messages wait for themselves alone. */
const MANY = 1000;
const BEAT_MS = 500;

/**
 * Reads topics without a trace: as a consumer group of its own that commits nothing and is deleted at the end. Tombstones
 * are left out. Returns when the signal is aborted or, without `follow`, when all that was there has been read.
 * @throws TidegateError SERVICE_UNREACHABLE or ACCESS_DENIED.
 */
export async function tailTopics(kafka: Kafka, options: TailOptions): Promise<void> {
  const { topics, start, follow, signal } = options;
  const ends = await endOffsets(kafka, topics);
  const next = await startOffsets(kafka, { topics, start, ends });
  const tail = new Tail(options, { next, ends });
  if (signal.aborted || (!follow && !tail.behind)) return;
  const groupId = `tidegate-tail-${randomUUID()}`;
  const consumer = kafka.consumer({
    ...{ groupId, maxWaitTimeInMs: FETCH_WAIT_MS, allowAutoTopicCreation: false },
    retry: { restartOnFailure: async () => false },
  });
  try {
    await tail.run(consumer);
  } catch (error) {
    throw kafkaError(error);
  } finally {
    await consumer.disconnect();
    await forgetGroup(kafka, groupId);
  }
}

async function startOffsets(
  kafka: Kafka,
  { topics, start, ends }: { topics: readonly string[]; start: TailStart; ends: Offsets },
): Promise<Offsets> {
  if (start === 'latest') return new Map(ends);
  const earliest = await earliestOffsets(kafka, topics);
  if (start === 'earliest') return earliest;
  if ('last' in start) {
    const reach = BigInt(start.last);
    return new Map(
      [...earliest].map(([partition, first]) => {
        const end = ends.get(partition)!;
        return [partition, end - first > reach ? end - reach : first];
      }),
    );
  }
  return await withAdmin(kafka, async (admin) => {
    const offsets: Offsets = new Map(ends);
    for (const topic of topicsOf(ends)) {
      for (const { partition, offset } of await admin.fetchTopicOffsetsByTimestamp(topic, start.sinceMs)) {
        offsets.set(partitionKey(topic, partition), BigInt(offset));
      }
    }
    return offsets;
  });
}

class Tail {
  readonly #options: TailOptions;
  /** The offset of the next message wanted, and of what came after the tail began, by partition. */
  readonly #next: Offsets;
  readonly #ends: Offsets;
  readonly #done = Promise.withResolvers<void>();
  /** The last messages, until all partitions have given theirs; null once they have been passed on, or when none are collected. */
  #collected: TailedMessage[] | null;
  #positioned = false;

  constructor(options: TailOptions, { next, ends }: { next: Offsets; ends: Offsets }) {
    this.#options = options;
    this.#next = next;
    this.#ends = ends;
    this.#collected = typeof options.start === 'object' && 'last' in options.start && this.behind ? [] : null;
  }

  /** Whether something that was there when the tail began has not been read. */
  get behind(): boolean {
    return [...this.#next].some(([partition, offset]) => offset < this.#ends.get(partition)!);
  }

  async run(consumer: Consumer): Promise<void> {
    const { signal } = this.#options;
    const { GROUP_JOIN, CRASH } = consumer.events;
    consumer.on(GROUP_JOIN, () => this.#position(consumer));
    consumer.on(CRASH, ({ payload }) => this.#done.reject(payload.error));
    const stop = () => this.#done.resolve();
    signal.addEventListener('abort', stop, { once: true });
    try {
      await consumer.connect();
      await consumer.subscribe({ topics: topicsOf(this.#next) });
      await consumer.run({
        ...{ autoCommit: false, eachBatchAutoResolve: false, partitionsConsumedConcurrently: MANY },
        eachBatch: (payload) => this.#batch(payload),
      });
      await this.#done.promise;
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  /** kafkajs begins where the group has committed, which is nowhere. */
  #position(consumer: Consumer): void {
    for (const [key, offset] of this.#next) consumer.seek({ ...partitionOf(key), offset: String(offset) });
    this.#positioned = true;
  }

  async #batch(payload: EachBatchPayload): Promise<void> {
    const { batch, isRunning, isStale, resolveOffset } = payload;
    const { signal, follow, onMessage } = this.#options;
    const key = partitionKey(batch.topic, batch.partition);
    const current = () => this.#positioned && isRunning() && !isStale() && !signal.aborted;
    const beat = async () => {
      if (current()) await payload.heartbeat();
    };
    for (const { offset: text, value, timestamp } of batch.messages) {
      const offset = BigInt(text);
      const old = offset < this.#ends.get(key)!;
      if (!current() || (!old && !follow)) break;
      if (offset < this.#next.get(key)!) continue;
      const place = { topic: batch.topic, partition: batch.partition, offset };
      const message = value && { ...place, sentMs: Number(timestamp), old, value };
      if (message && old && this.#collected) this.#collected.push(message);
      else if (message) {
        while (this.#collected && current()) await Promise.all([beat(), sleep(BEAT_MS)]);
        if (!current()) break;
        await onMessage(message, beat);
      }
      this.#next.set(key, offset + 1n);
      resolveOffset(text);
    }
    if (!current()) return;
    // The last offset may be one that holds no message.
    const last = BigInt(batch.lastOffset());
    if (follow && this.#next.get(key)! <= last) this.#next.set(key, last + 1n);
    if (this.behind) return;
    await this.#passOn(beat);
    if (!follow) this.#done.resolve();
  }

  async #passOn(beat: () => Promise<void>): Promise<void> {
    const { start, onMessage, signal } = this.#options;
    const collected = this.#collected ?? [];
    if (typeof start !== 'object' || !('last' in start)) return;
    collected.sort((a, b) => a.sentMs - b.sentMs);
    for (const message of start.last > 0 ? collected.splice(-start.last) : []) {
      if (signal.aborted) return;
      await onMessage(message, beat);
    }
    this.#collected = null;
  }
}

function topicsOf(offsets: Offsets): string[] {
  return [...new Set([...offsets.keys()].map((key) => partitionOf(key).topic))];
}

/** A group that stays behind is forgotten by the brokers after a week. */
async function forgetGroup(kafka: Kafka, groupId: string): Promise<void> {
  const admin = kafka.admin();
  try {
    await admin.connect();
    await admin.deleteGroups([groupId]);
  } catch {
    // It was never joined, or the brokers have gone away.
  } finally {
    await admin.disconnect();
  }
}
