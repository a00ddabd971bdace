import { setTimeout as sleep } from 'node:timers/promises';
import type { Kafka } from 'kafkajs';
import { landedOffsets } from '../../activities/kafkaEngine.ts';
import type { ClickHouse } from '../../adapters/clickhouse.ts';
import type { Offsets } from '../../adapters/kafka.ts';
import type { TailedMessage } from '../../adapters/kafkaTail.ts';
import type { Pipeline } from '../../core/definition.ts';
import { chTable } from '../../core/identifiers.ts';
import { DEAD_LETTERS_TABLE } from '../../core/names.ts';
import { partitionKey } from '../../core/partitions.ts';

const ASK_MS = 200;
const BEAT_MS = 1000;
/** Waiting for longer than this is worth a word. */
const PATIENCE_MS = 3000;

/** What became of a message. */
export type Landed = 'landed' | 'dead letter' | 'waits';

/** Tells when messages have landed: their stream commits them after ClickHouse has answered. */
export class Landing {
  readonly #pipeline: Pipeline;
  readonly #sources: { kafka: Kafka; clickhouse: ClickHouse };
  readonly #topics: readonly string[];
  readonly #onWait: () => void;
  #committed: Promise<Offsets> | null = null;
  #askedAt = 0;
  #said = false;

  /** @param options.onWait is called once messages wait for unusually long, and again after they have landed meanwhile. */
  constructor(
    sources: { kafka: Kafka; clickhouse: ClickHouse },
    options: { pipeline: Pipeline; topics: readonly string[]; onWait: () => void },
  ) {
    this.#sources = sources;
    this.#pipeline = options.pipeline;
    this.#topics = options.topics;
    this.#onWait = options.onWait;
  }

  /** What has become of a message by now. */
  async state(message: TailedMessage): Promise<Landed> {
    const committed = (await this.#offsets()).get(partitionKey(message.topic, message.partition)) ?? 0n;
    if (committed <= message.offset) return 'waits';
    return (await this.#isDeadLetter(message)) ? 'dead letter' : 'landed';
  }

  /** Waits until a message has landed, or become a dead letter; returns early when the signal is aborted. */
  async wait(message: TailedMessage, about: { signal: AbortSignal; beat: () => Promise<void> }): Promise<Landed> {
    const began = Date.now();
    let beatAt = began;
    for (;;) {
      const state = await this.state(message);
      if (state !== 'waits' || about.signal.aborted) {
        if (state !== 'waits') this.#said = false;
        return state;
      }
      if (!this.#said && Date.now() - began > PATIENCE_MS) {
        this.#said = true;
        this.#onWait();
      }
      if (Date.now() - beatAt > BEAT_MS) {
        beatAt = Date.now();
        await about.beat();
      }
      await sleep(ASK_MS, undefined, { signal: about.signal }).catch(() => undefined);
    }
  }

  /** Asked for at most five times a second, by however many partitions. */
  async #offsets(): Promise<Offsets> {
    if (this.#committed === null || Date.now() - this.#askedAt >= ASK_MS) {
      this.#askedAt = Date.now();
      this.#committed = landedOffsets(this.#sources, this.#pipeline, this.#topics);
    }
    return await this.#committed;
  }

  async #isDeadLetter({ topic, partition, offset }: TailedMessage): Promise<boolean> {
    const letters = chTable({ database: this.#pipeline.database, name: DEAD_LETTERS_TABLE });
    const found = await this.#sources.clickhouse.rows(
      `SELECT 1 FROM ${letters} FINAL WHERE topic = {topic:String} AND partition = {partition:Int32} ` +
        'AND offset = {offset:Int64} AND replayed_at IS NULL',
      { params: { topic, partition, offset: String(offset) } },
    );
    return found.length > 0;
  }
}
