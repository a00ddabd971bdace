import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { ClickHouseError } from '@clickhouse/client';
import type { ClickHouse } from '../adapters/clickhouse.ts';
import { insertRetryMs } from '../core/batching.ts';
import { classify } from '../core/clickhouseErrors.ts';
import { LANDING_SETTINGS } from '../core/ddl.ts';
import { coordinatesOf } from '../core/envelope.ts';
import { messageOf, TidegateError } from '../core/errors.ts';
import { halve, type MessageBatch } from '../core/streamBuffer.ts';

/** A message that cannot be loaded: where it is, its bytes, and why. */
export interface BadMessage {
  table: string;
  topic: string;
  partition: number;
  offset: bigint;
  bytes: Buffer;
  /** The end of a sentence that begins with the message. */
  reason: string;
  /** True when the message names other columns than the landing table has. */
  drifted: boolean;
}

/** Why ClickHouse does not take a batch as it is. */
type Refusal = Pick<BadMessage, 'reason' | 'drifted'>;

/** Thrown when the stream is being stopped while ClickHouse refuses a batch: it stays uncommitted. */
export class LandingAbandoned extends Error {}

export interface LanderOptions {
  clickhouse: ClickHouse;
  /** As people write the table's name. */
  table: string;
  topic: string;
  /** Quoted name of the landing table. */
  into: string;
  /** Aborted when the stream is being stopped: then nothing is tried again. */
  stopping: AbortSignal;
  /** What is wrong while a batch is tried again, one sentence; null when it has landed. */
  onTrouble: (problem: string | null) => void;
  /** Is given each part of a batch that has landed, in the batch's order. */
  onLanded: (part: MessageBatch) => void;
  /** Is given a message that stands alone and is refused. When it returns, the message counts as dealt with. */
  onBadMessage: (bad: BadMessage) => Promise<void>;
}

/** Splitting a body for several threads costs a fifth more work than it is worth at the size of a flush. */
const INSERT_SETTINGS = { ...LANDING_SETTINGS, input_format_parallel_parsing: 0 };

/** TOO_MANY_PARTS: also raised when one insert would write more than 100 partitions. */
const TOO_MANY_PARTS = '252';

/** Inserts batches into one landing table until each has landed, and finds the messages that cannot. */
export class Lander {
  readonly #options: LanderOptions;

  constructor(options: LanderOptions) {
    this.#options = options;
  }

  /**
   * Returns when every row of the batch has landed or has been dealt with as a bad message.
   * @throws TidegateError ACCESS_DENIED, what onBadMessage throws, or LandingAbandoned.
   */
  async land(batch: MessageBatch): Promise<void> {
    const refusal = await this.#insert(batch);
    if (refusal === null) {
      this.#options.onLanded(batch);
    } else if (batch.rows > 1) {
      // Rows of a refused batch that did get through land once more; the target keeps one of each.
      for (const half of halve(batch)) await this.land(half);
    } else {
      await this.#options.onBadMessage(this.#badMessage(batch, refusal));
    }
  }

  /** Tries until the batch has landed (null) or is refused for what is in it. */
  async #insert(batch: MessageBatch): Promise<Refusal | null> {
    for (let failures = 1; ; failures++) {
      try {
        const { readRows } = await this.#send(batch);
        this.#options.onTrouble(null);
        // A value like `{..}{..}` passes for two rows.
        if (readRows === batch.rows) return null;
        return { reason: `ClickHouse read ${readRows} rows from ${batch.rows} messages`, drifted: false };
      } catch (error) {
        const refusal = this.#refusalOf(error, batch);
        if (refusal !== null) return refusal;
        this.#options.onTrouble(`the insert has failed ${failures} time(s) and is tried again: ${messageOf(error)}`);
        await this.#pause(insertRetryMs(failures), error);
      }
    }
  }

  async #send(batch: MessageBatch): Promise<{ readRows: number }> {
    return await this.#options.clickhouse.insert({
      into: this.#options.into,
      format: 'JSONEachRow',
      body: Readable.from(batch.chunks, { objectMode: false }),
      settings: INSERT_SETTINGS,
    });
  }

  /**
   * The reason when the batch itself is refused, null when it should be sent again as it is.
   * @throws TidegateError for what neither another try nor leaving a message out would help.
   */
  #refusalOf(error: unknown, batch: MessageBatch): Refusal | null {
    const { table } = this.#options;
    if (error instanceof TidegateError && !error.retryable) throw error;
    if (!(error instanceof ClickHouseError)) return null;
    if (error.code === TOO_MANY_PARTS && /partitions/i.test(error.message) && batch.rows > 1) {
      return { reason: error.message, drifted: false };
    }
    const kind = classify(error.code, error.message);
    if (kind === 'bad-data' || kind === 'drift') return { reason: messageOf(error), drifted: kind === 'drift' };
    if (kind === 'access') {
      throw new TidegateError('ACCESS_DENIED', `ClickHouse refused to insert into ${table}: ${messageOf(error)}`, {
        remedy: 'Grant the user INSERT on the landing table and SELECT and INSERT behind it.',
        cause: error,
      });
    }
    return null;
  }

  async #pause(milliseconds: number, reason: unknown): Promise<void> {
    const { stopping } = this.#options;
    const waited = await sleep(milliseconds, true, { signal: stopping }).catch(() => false);
    if (!waited) throw new LandingAbandoned('stopped while ClickHouse refused a batch', { cause: reason });
  }

  #badMessage(single: MessageBatch, { reason, drifted }: Refusal): BadMessage {
    const { table, topic } = this.#options;
    const line = Buffer.concat(single.chunks).subarray(0, -1);
    const { partition, offset } = coordinatesOf(line);
    const bytes = Buffer.concat([Buffer.from('{'), line.subarray(line.indexOf(',', line.indexOf(',') + 1) + 1)]);
    // ClickHouse appends the whole expression that it was computing.
    const brief = reason.split(/: while executing '|: while pushing to view/, 1)[0];
    return { table, topic, partition, offset, bytes, drifted, reason: `was refused: ${brief}` };
  }
}
