import type { DriftReport } from '../core/activityTypes.ts';
import { FLUSH_LIMITS, msUntilFlush } from '../core/batching.ts';
import { columnNames } from '../core/envelope.ts';
import { TidegateError } from '../core/errors.ts';
import { type MessageBatch, nextOffsets, type PendingBatch, StreamBuffer } from '../core/streamBuffer.ts';
import { type BadMessage, Lander, type LanderOptions, LandingAbandoned } from './runStreamLander.ts';
import { Signal } from './runStreamSignal.ts';

export interface LaneOptions extends Omit<LanderOptions, 'stopping'> {
  /** Grows when the consumer group is joined anew. */
  generation: () => number;
  /** Commits what has landed, unless the generation has passed in which it was read. */
  commit: (next: ReadonlyMap<number, bigint>, generation: number) => Promise<void>;
  /** Is called when there is room for more, and when nothing is left to do. */
  onFreed: () => void;
}

/**
 * The way of one table's messages from the reader into its landing table. The reader appends to a buffer; one loop takes
 * what is pending, inserts it and then commits its offsets, while reading goes on.
 */
export class Lane {
  readonly table: string;
  readonly topic: string;
  readonly pending = new StreamBuffer();
  readonly #options: LaneOptions;
  readonly #lander: Lander;
  readonly #wake = new Signal();
  readonly #stopping = new AbortController();
  #flushing: PendingBatch | null = null;
  #lastFlushAt = 0;
  #urgent = false;
  /** What has landed of a batch that had to be cut, by partition. */
  #landed = new Map<number, bigint>();

  constructor(options: LaneOptions) {
    this.#options = options;
    this.table = options.table;
    this.topic = options.topic;
    this.#lander = new Lander({
      ...options,
      stopping: this.#stopping.signal,
      onLanded: (part) => this.#noteLanded(part),
      onBadMessage: (bad) => this.#refuse(bad),
    });
  }

  /** Bytes that wait or are being inserted. */
  get heldBytes(): number {
    return this.pending.bytes + (this.#flushing?.bytes ?? 0);
  }

  /** True when everything that was appended has landed and been committed. */
  get idle(): boolean {
    return this.pending.empty && this.#flushing === null;
  }

  /** Tells the loop that something was appended. */
  appended(): void {
    this.#wake.notify();
  }

  /** Makes what is pending due at once. */
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
   * Runs until finish, or until something fails for good.
   * @throws TidegateError SCHEMA_DRIFT, with a DriftReport, at a message of other columns than the landing table's; else as
   * Lander.land does, or what commit throws.
   */
  async run(): Promise<void> {
    try {
      for (;;) {
        await this.#untilDue();
        this.#urgent = false;
        const batch = this.pending.take();
        if (batch) await this.#flush(batch);
        else if (this.#stopping.signal.aborted) return;
      }
    } catch (error) {
      if (!(error instanceof LandingAbandoned)) throw error;
    } finally {
      this.discard();
    }
  }

  async #untilDue(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const { empty, rows, bytes } = this.pending;
      if (!empty && this.#urgent) return;
      const sinceLastFlushMs = performance.now() - this.#lastFlushAt;
      const wait = msUntilFlush({ rows: empty ? 0 : Math.max(1, rows), bytes, sinceLastFlushMs }, FLUSH_LIMITS);
      if (wait === 0) return;
      await this.#wake.wait(wait);
    }
  }

  async #flush(batch: PendingBatch): Promise<void> {
    const generation = this.#options.generation();
    this.#flushing = batch;
    this.#lastFlushAt = performance.now();
    this.#landed = new Map();
    try {
      if (batch.rows > 0) await this.#lander.land(batch);
      await this.#options.commit(batch.next, generation);
    } finally {
      this.#flushing = null;
      this.#options.onFreed();
    }
  }

  #noteLanded(part: MessageBatch): void {
    this.#options.onLanded(part);
    if (part === this.#flushing) return;
    for (const [partition, next] of nextOffsets(part)) this.#landed.set(partition, next);
  }

  /** Commits what came before the message, so that a stream that stops at it stands right before it. */
  async #refuse(bad: BadMessage): Promise<void> {
    if (this.#landed.size > 0) await this.#options.commit(this.#landed, this.#options.generation());
    if (bad.drifted) throw driftError(bad);
    await this.#options.onBadMessage(bad);
  }
}

function driftError({ table, topic, partition, offset, bytes, reason }: BadMessage): TidegateError {
  const what = `changes of ${table} no longer fit its target: message ${topic}:${partition} at offset ${offset} ${reason}`;
  const columns = columnNames(bytes);
  return new TidegateError('SCHEMA_DRIFT', what, {
    remedy: 'The target is brought up to date with the source; the stream then goes on where it stopped.',
    ...(columns && { details: { table, columns } satisfies DriftReport }),
  });
}
