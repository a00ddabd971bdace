import type { EachBatchPayload } from 'kafkajs';
import { endOffsets, type Offsets, openKafka } from '../adapters/kafka.ts';
import { HELD_BYTES_LIMIT } from '../core/batching.ts';
import { findTable, type Pipeline } from '../core/definition.ts';
import { defectOf, objectStart } from '../core/envelope.ts';
import { chTable } from '../core/identifiers.ts';
import { eventLanes, streamLanes } from '../core/lanes.ts';
import { landingName } from '../core/names.ts';
import { partitionOf } from '../core/partitions.ts';
import type { ActivityDeps } from './deps.ts';
import { DeadLetterKeeper } from './runStreamDeadLetters.ts';
import { Lane } from './runStreamLane.ts';
import { TopicReader } from './runStreamReader.ts';
import { rereaderOf } from './runStreamReread.ts';
import { Signal } from './runStreamSignal.ts';
import { mayHaveHeld, requireNoDrift } from './schemaDrift.ts';
import { ProgressKeeper } from './streamProgress.ts';

/** What a caller may put in its own way at the seams of the stream. */
export interface StreamSeams {
  /** Runs between the insert of a batch and its commit, for tests of what a crash there does. */
  beforeCommit?: (topic: string) => Promise<void>;
  /** Runs right before bad messages are kept as dead letters, for tests of what a crash there does. */
  beforeKeeping?: (topic: string) => Promise<void>;
  /** Takes the place of the comparison with the source's schema, for tests of a source that does not answer. */
  checkDrift?: () => Promise<void>;
}

/** A waiting batch of the reader looks again at least this often, and keeps its membership of the group meanwhile. */
const LOOK_AGAIN_MS = 200;

/** One run of a pipeline's stream: a reader, a lane for each table, and what passes between them. */
export class StreamSession {
  readonly progress: ProgressKeeper;
  readonly #lanes: ReadonlyMap<string, Lane>;
  readonly #reader: TopicReader;
  readonly #freed = new Signal();
  readonly #seams: Required<StreamSeams>;

  /**
   * @param options.aside labels of tables whose messages stay in Kafka.
   * @param options.progress keeps the figures of several sessions in turn; default: of this one.
   */
  constructor(
    deps: ActivityDeps,
    { pipeline, aside, progress }: { pipeline: Pipeline; aside: ReadonlySet<string>; progress?: ProgressKeeper },
    seams: StreamSeams,
  ) {
    const none = async () => undefined;
    this.#seams = {
      ...{ beforeCommit: none, beforeKeeping: none, checkDrift: () => requireNoDrift(deps, pipeline) },
      ...seams,
    };
    const keeper = new DeadLetterKeeper(deps.clickhouse, pipeline);
    const topics = streamLanes(pipeline).filter(({ label }) => !aside.has(label));
    this.progress = progress ?? new ProgressKeeper(topics.map(({ label }) => label));
    const lanes = topics.map((each) => {
      const { kind, label, topic } = each;
      return new Lane({
        clickhouse: deps.clickhouse,
        ...{ kind, table: label, topic },
        into: chTable({ database: pipeline.database, name: landingName(each.target) }),
        generation: () => this.#reader.generation,
        commit: (next, generation) => this.#commit(topic, next, generation),
        onLanded: (part, sentMs) => this.progress.landed(label, part, kind === 'events' ? sentMs : null),
        onTrouble: (problem) => this.progress.trouble(label, problem),
        beforeKeeping: () => this.#seams.beforeKeeping(topic),
        keep: (bad) => keeper.keep(each, bad),
        checkDrift: kind === 'events' ? none : this.#seams.checkDrift,
        reread: rereaderOf(deps, pipeline, label) ?? (async () => null),
        mayHold: (columns) => mayHaveHeld(deps, pipeline, { table: findTable(pipeline, label), columns }),
        onSetAside: (messages) => this.progress.setAside(label, messages),
        othersRead: this.#othersRead(deps, topic),
        onFreed: () => this.#freed.notify(),
      });
    });
    this.#lanes = new Map(lanes.map((lane) => [lane.topic, lane]));
    this.#reader = new TopicReader({
      environment: deps.environment,
      group: pipeline.stream.consumerGroup,
      topics: [...this.#lanes.keys()],
      lateTopics: eventLanes(pipeline).map(({ topic }) => topic),
      onBatch: (payload, current) => this.#append(payload, current),
      onRejoin: () => {
        for (const lane of this.#lanes.values()) lane.discard();
      },
      onPositions: (topic, next) => this.progress.committed(topic, next),
    });
  }

  /**
   * Moves messages until `stopping` is aborted; then lands and commits what it holds, and returns.
   * @throws TidegateError when the stream cannot go on.
   */
  async run(stopping: AbortSignal): Promise<void> {
    const stopped = new Promise<void>((resolve) => {
      if (stopping.aborted) resolve();
      stopping.addEventListener('abort', () => resolve(), { once: true });
    });
    const lanes = [...this.#lanes.values()];
    const running = lanes.map((lane) => lane.run());
    const failed = Promise.all([this.#reader.failed, ...running]);
    failed.catch(() => undefined);
    try {
      const started = lanes.length > 0 ? this.#reader.start() : Promise.resolve();
      await Promise.race([stopped, failed, started.then(() => stopped)]);
    } finally {
      this.#reader.pause();
      for (const lane of lanes) lane.finish();
      await Promise.allSettled(running);
      await this.#reader.stop();
    }
    // What failed while the last batches were landed counts as well.
    await Promise.all(running);
  }

  async #commit(topic: string, next: ReadonlyMap<number, bigint>, generation: number): Promise<void> {
    await this.#seams.beforeCommit(topic);
    if (await this.#reader.commit(topic, next, generation)) this.progress.committed(topic, next);
  }

  #othersRead(deps: ActivityDeps, topic: string): (still: ReadonlySet<number>) => Promise<boolean> {
    let ends: Promise<Offsets> | null = null;
    return async (still) => {
      ends ??= endOffsets(openKafka(deps.environment), [topic]);
      return [...(await ends)].every(
        ([key, end]) => still.has(partitionOf(key).partition) || this.progress.next(key) >= end,
      );
    };
  }

  /** Appends one partition's messages to the lane of their topic, once there is room. */
  async #append(payload: EachBatchPayload, current: () => boolean): Promise<void> {
    const { batch, resolveOffset } = payload;
    const lane = this.#lanes.get(batch.topic)!;
    await this.#waitUntil(() => this.#heldBytes < HELD_BYTES_LIMIT, payload, current);
    if (!current()) return;
    const { partition } = batch;
    for (const { key, value, offset, timestamp } of batch.messages) {
      // A message without a value (a tombstone of Kafka's compaction) says nothing, but its offset counts.
      if (value === null) continue;
      const start = objectStart(value);
      const timestampMs = Number(timestamp);
      if (start >= 0) lane.pending.append({ partition, offset, key, timestampMs, value, start });
      else lane.pending.reject({ partition, offset: BigInt(offset), key, timestampMs, value, ...defectOf(value) });
    }
    const last = batch.lastOffset();
    lane.pending.advance(partition, BigInt(last) + 1n);
    resolveOffset(last);
    lane.appended(Number(batch.offsetLag()));
  }

  get #heldBytes(): number {
    let held = 0;
    for (const lane of this.#lanes.values()) held += lane.heldBytes;
    return held;
  }

  /** Waits while keeping the membership of the group; returns early when the batch is not to be gone on with. */
  async #waitUntil(met: () => boolean, payload: EachBatchPayload, current: () => boolean): Promise<void> {
    while (current() && !met()) {
      for (const lane of this.#lanes.values()) lane.hurry();
      await this.#freed.wait(LOOK_AGAIN_MS);
      await payload.heartbeat();
    }
  }
}
