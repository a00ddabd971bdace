import type { DriftReport } from '../core/activityTypes.ts';
import { FLUSH_LIMITS, limitsAt, msUntilFlush } from '../core/batching.ts';
import type { BadMessage } from '../core/deadLetters.ts';
import { columnNames } from '../core/envelope.ts';
import { TidegateError } from '../core/errors.ts';
import { mostAreBad } from '../core/isolate.ts';
import { LANDING } from '../core/lanes.ts';
import { type MessageBatch, ofOtherPartitions, type PendingBatch, StreamBuffer } from '../core/streamBuffer.ts';
import { Lander, type LanderOptions, type Refusal } from './runStreamLander.ts';
import { LandingAbandoned, untilDone } from './runStreamPatience.ts';
import { badMessage, Settling } from './runStreamSettling.ts';
import { Signal } from './runStreamSignal.ts';

export interface LaneOptions extends Omit<LanderOptions, 'stopping' | 'onLanded' | 'onRefused' | 'onMostRefused'> {
  topic: string;
  /** Is given each part of a batch that has landed, and when the batch's last message was written to the topic. */
  onLanded: (part: MessageBatch, sentMs: number) => void;
  /** Makes the bad messages of a batch durable as dead letters; throws BAD_MESSAGE when the stream is to stop instead. */
  keep: (bad: readonly BadMessage[]) => Promise<void>;
  /** Runs right before bad messages are kept. */
  beforeKeeping: () => Promise<void>;
  /** Is told how many messages have been set aside. */
  onSetAside: (messages: number) => void;
  /** Throws SCHEMA_DRIFT when the source's schema is no longer the one that the targets were made for. */
  checkDrift: () => Promise<void>;
  /** False when the table can never have had these columns, so that a message with them is not one of its own. */
  mayHold: (columns: readonly string[]) => Promise<boolean>;
  /** Grows when the consumer group is joined anew. */
  generation: () => number;
  /** Commits what has landed, unless the generation has passed in which it was read. */
  commit: (next: ReadonlyMap<number, bigint>, generation: number) => Promise<void>;
  /** True when the other partitions of the topic have been read up to where they ended when it was first asked. */
  othersRead: (still: ReadonlySet<number>) => Promise<boolean>;
  /** Is called when there is room for more, and when nothing is left to do. */
  onFreed: () => void;
}

/** How often it is asked whether other partitions have been read, while one stands still. */
const LOOK_AGAIN_MS = 200;

const COMPARISON = "the comparison with the source's schema";

/**
 * The way of one table's messages from the reader into its landing table. The reader appends to a buffer; one loop takes
 * what is pending, inserts it and then commits its offsets, while reading goes on.
 */
export class Lane {
  readonly table: string;
  readonly topic: string;
  readonly pending: StreamBuffer;
  readonly #options: LaneOptions;
  readonly #lander: Lander;
  readonly #wake = new Signal();
  readonly #stopping = new AbortController();
  #flushing: PendingBatch | null = null;
  #lastFlushAt = 0;
  #urgent = false;
  #limits = FLUSH_LIMITS;
  #settling = new Settling();
  /** Partitions that stand right before a message of other columns, and what was said of the first such message. */
  readonly #still = new Set<number>();
  #drift: TidegateError | null = null;

  constructor(options: LaneOptions) {
    this.#options = options;
    this.table = options.table;
    this.topic = options.topic;
    this.pending = new StreamBuffer(LANDING[options.kind].form);
    this.#lander = new Lander({
      ...options,
      stopping: this.#stopping.signal,
      onLanded: (part) => this.#noteLanded(part),
      onRefused: (row, about) => this.#refused(row, about),
      onMostRefused: (refusal) => {
        throw this.#mostAreBad('most', refusal.reason);
      },
    });
  }

  /** Bytes that wait or are being inserted. */
  get heldBytes(): number {
    return this.pending.bytes + (this.#flushing?.heldBytes ?? 0);
  }

  /** True when everything that was appended has landed and been committed. */
  get idle(): boolean {
    return this.pending.empty && this.#flushing === null;
  }

  /** Tells the loop that something was appended, and how many messages behind it have not been read yet. */
  appended(lag: number): void {
    this.#limits = limitsAt(lag);
    this.#wake.notify();
  }

  /** Makes what is pending due at once: reading waits for room. */
  hurry(): void {
    this.#urgent = true;
    this.#wake.notify();
  }

  /** Forgets what is pending: it will be read again. What is being inserted lands, but is not committed. */
  discard(): void {
    this.pending.clear();
    this.#options.onFreed();
  }

  /** Lets the loop land what it holds, without trying again what is refused, and end. */
  finish(): void {
    this.#stopping.abort();
    this.#wake.notify();
  }

  /**
   * Runs until finish, or until something fails for good. Where a message of other columns is met, its partition stands
   * still and the others go on: what was written before a change of the schema lands before it is followed.
   * @throws TidegateError SCHEMA_DRIFT, with a DriftReport where it is a message's columns that tell; ACCESS_DENIED,
   * BAD_MESSAGE, or what commit throws.
   */
  async run(): Promise<void> {
    try {
      for (;;) {
        await this.#untilDue();
        this.#urgent = false;
        const batch = this.pending.take();
        if (batch) await this.#flush(batch);
        else if (this.#stopping.signal.aborted) break;
        if (this.#drift && this.pending.empty && (await this.#options.othersRead(this.#still))) break;
      }
    } catch (error) {
      if (!(error instanceof LandingAbandoned)) throw error;
    } finally {
      this.discard();
    }
    if (this.#drift) throw this.#drift;
  }

  async #untilDue(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const { empty, rows, bytes } = this.pending;
      if (!empty && this.#urgent) return;
      const sinceLastFlushMs = performance.now() - this.#lastFlushAt;
      const wait = msUntilFlush({ rows: empty ? 0 : Math.max(1, rows), bytes, sinceLastFlushMs }, this.#limits);
      if (wait === 0) return;
      await this.#wake.wait(wait ?? (this.#drift ? LOOK_AGAIN_MS : null));
      if (this.#drift && this.pending.empty) return;
    }
  }

  async #flush(batch: PendingBatch): Promise<void> {
    const generation = this.#options.generation();
    this.#flushing = batch;
    this.#lastFlushAt = performance.now();
    try {
      await this.#flushMoving(batch, generation);
    } finally {
      this.#flushing = null;
      this.#options.onFreed();
    }
  }

  async #flushMoving(batch: PendingBatch, generation: number): Promise<void> {
    let rest = batch;
    let landed: ReadonlyMap<number, bigint> = new Map();
    for (;;) {
      if (this.#still.size > 0) rest = ofOtherPartitions(rest, { still: this.#still, landed });
      this.#flushing = rest;
      this.#settling = new Settling();
      const stood = this.#still.size;
      try {
        await this.#settle(rest, generation);
        await this.#options.commit(rest.next, generation);
        return;
      } catch (error) {
        if (this.#still.size === stood) throw this.#drift ?? error;
        this.#drift ??= error as TidegateError;
        landed = this.#settling.nextBeforeBad(rest.rejected);
      }
    }
  }

  /**
   * Returns when each message of the batch has landed or is a dead letter. When the stream stops at a bad message, what
   * came before it is committed, so that the stream stands right before it.
   */
  async #settle(batch: PendingBatch, generation: number): Promise<void> {
    const settling = this.#settling;
    try {
      const sent = batch.rows > 0 ? await this.#lander.land(batch) : 0;
      const bad = [...settling.refused, ...batch.rejected];
      if (mostAreBad(bad.length, batch.rows + batch.rejected.length)) {
        throw this.#mostAreBad(`${bad.length} of ${batch.rows + batch.rejected.length}`, bad[0]!.reason);
      }
      await this.#setAside(bad, settling.refused.length > 0);
      if (sent === 1 && settling.refused.length === 0) this.pending.reuse(batch);
      this.pending.trim();
    } catch (error) {
      if (!(error instanceof TidegateError)) throw error;
      const next = settling.nextBeforeBad(batch.rejected);
      if (next.size > 0) await this.#options.commit(next, generation);
      // So many values that do not fit may be of a type that a column has only now.
      if (error.code === 'BAD_MESSAGE') await this.#untilDone(COMPARISON, this.#options.checkDrift);
      throw error;
    }
  }

  async #setAside(bad: readonly BadMessage[], refused: boolean): Promise<void> {
    if (bad.length === 0) return;
    const { keep, beforeKeeping, checkDrift, onSetAside } = this.#options;
    if (refused) await this.#untilDone(COMPARISON, checkDrift);
    await beforeKeeping();
    await this.#untilDone('keeping dead letters', () => keep(bad));
    onSetAside(bad.length);
  }

  #noteLanded(part: MessageBatch): void {
    this.#options.onLanded(part, this.#flushing!.origins.lastMs);
    // Where all of a batch is good, its offsets are known already.
    if (part !== this.#flushing || this.#flushing.rejected.length > 0) this.#settling.landed(part);
  }

  async #refused(row: MessageBatch, { index, refusal }: { index: number; refusal: Refusal }): Promise<void> {
    const batch = this.#flushing!;
    const { form } = LANDING[this.#options.kind];
    const message = badMessage(row, { refusal, origin: batch.origins.at(index), form });
    if (refusal.drifted) await this.#stopAtDrift(message);
    this.#settling.refused.push(message);
    const bad = this.#settling.refused.length + batch.rejected.length;
    const all = batch.rows + batch.rejected.length;
    if (mostAreBad(bad, all)) throw this.#mostAreBad(`at least ${bad} of ${all}`, refusal.reason);
  }

  #mostAreBad(share: string, reason: string): TidegateError {
    const { table, topic } = this;
    return new TidegateError(
      'BAD_MESSAGE',
      `${share} messages of one batch of ${topic} for ${table} cannot be loaded: one ${reason}`,
      {
        remedy:
          "That is hardly the messages' fault: correct the target, or what writes to the topic, and resume the stream; nothing was set aside.",
      },
    );
  }

  /** A message of other columns is bad only if its table never had them. */
  async #stopAtDrift({ partition, offset, value, reason }: BadMessage): Promise<void> {
    const { table, topic } = this;
    const columns = columnNames(value);
    if (columns === null || !(await this.#untilDone(COMPARISON, () => this.#options.mayHold(columns)))) return;
    this.#still.add(partition);
    const what = `changes of ${table} no longer fit its target: message ${topic}:${partition} at offset ${offset} ${reason}`;
    throw new TidegateError('SCHEMA_DRIFT', what, {
      remedy: 'The target is brought up to date with the source; the stream then goes on where it stopped.',
      details: { table, columns } satisfies DriftReport,
    });
  }

  async #untilDone<T>(what: string, work: () => Promise<T>): Promise<T> {
    return await untilDone({ what, stopping: this.#stopping.signal, onTrouble: this.#options.onTrouble }, work);
  }
}
