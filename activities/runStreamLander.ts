import { Readable } from 'node:stream';
import { ClickHouseError } from '@clickhouse/client';
import type { ClickHouse } from '../adapters/clickhouse.ts';
import { classify, withoutExpression } from '../core/clickhouseErrors.ts';
import { messageOf, TidegateError } from '../core/errors.ts';
import { isolate, sampleIsBad } from '../core/isolate.ts';
import { LANDING, type Lane } from '../core/lanes.ts';
import type { MessageBatch } from '../core/streamBuffer.ts';
import { untilDone } from './runStreamPatience.ts';
import type { Reread } from './runStreamReread.ts';

/** Why ClickHouse does not take a batch as it is. */
export interface Refusal {
  /** The name of ClickHouse's error, or SEVERAL_VALUES. */
  code: string;
  /** The end of a sentence that begins with the message. */
  reason: string;
  /** True when the message names other columns than the landing table has. */
  drifted: boolean;
}

export interface LanderOptions {
  clickhouse: ClickHouse;
  /** What lands, and how. */
  kind: Lane['kind'];
  /** As people write the table's name. */
  table: string;
  /** Quoted name of the landing table. */
  into: string;
  /** Aborted when the stream is being stopped: then nothing is tried again. */
  stopping: AbortSignal;
  /** What is wrong while a batch is tried again, one sentence; null when it has landed. */
  onTrouble: (problem: string | null) => void;
  /** Is given each part of a batch that has landed, in the batch's order. */
  onLanded: (part: MessageBatch) => void;
  /** Is given each row that cannot land, and its position in the batch, in the batch's order with the landed parts. */
  onRefused: (row: MessageBatch, about: { index: number; refusal: Refusal }) => Promise<void>;
  /** Completes a refused batch from the source, see rereadRows. */
  reread: (batch: MessageBatch) => Promise<Reread>;
  /** Is told when all but certainly most of a large batch is bad. It throws. */
  onMostRefused: (refusal: Refusal) => never;
}

/** TOO_MANY_PARTS: also raised when one insert would write more than 100 partitions. */
const TOO_MANY_PARTS = '252';
const TOO_MANY_PARTITIONS = 'TOO_MANY_PARTITIONS';
/** Of a batch with more rows to read again than can be held. */
const TOO_MANY_ROWS = 'TOO_MANY_ROWS';

/** Inserts batches into one landing table until each has landed, and finds the messages that cannot. */
export class Lander {
  readonly #options: LanderOptions;
  #sent = 0;

  constructor(options: LanderOptions) {
    this.#options = options;
  }

  /**
   * Returns when every row of the batch has landed or has been given to onRefused.
   * @returns how often it was sent: after the first time, somebody may still hold its bytes.
   * @throws TidegateError ACCESS_DENIED, what onRefused or onMostRefused throw, or LandingAbandoned.
   */
  async land(batch: MessageBatch): Promise<number> {
    this.#sent = 0;
    let first: Refusal | null = await this.#insert(batch);
    if (first === null) {
      this.#options.onLanded(batch);
      return this.#sent;
    }
    const attempt = (part: MessageBatch) => this.#insert(part);
    if (
      ![TOO_MANY_PARTITIONS, TOO_MANY_ROWS].includes(first.code) &&
      (await sampleIsBad(batch, (row) => this.#insertUndrifted(row)))
    ) {
      this.#options.onMostRefused(first);
    }
    const { onLanded, onRefused } = this.#options;
    await isolate(batch, {
      // The batch as a whole has just been tried.
      attempt: async (part) => {
        const refusal = first ?? (await attempt(part));
        first = null;
        return refusal;
      },
      onLanded,
      onRefused,
    });
    return this.#sent;
  }

  /** A message of other columns is not bad: what it is will be asked when it stands alone. */
  async #insertUndrifted(row: MessageBatch): Promise<Refusal | null> {
    const refusal = await this.#insert(row);
    return refusal?.drifted ? null : refusal;
  }

  /** Tries until the batch has landed (null) or is refused for what is in it and in the source. */
  async #insert(batch: MessageBatch): Promise<Refusal | null> {
    const { onTrouble, stopping, reread } = this.#options;
    const refusal = await this.#try(batch);
    if (refusal === null || refusal.drifted) return refusal;
    const what = 'reading rows again at the source';
    const completed = await untilDone({ stopping, onTrouble, what }, () => reread(batch));
    if (completed === 'too many') return { ...refusal, code: TOO_MANY_ROWS };
    return completed ? await this.#try(completed) : refusal;
  }

  async #try(batch: MessageBatch): Promise<Refusal | null> {
    const { onTrouble, stopping } = this.#options;
    return await untilDone({ stopping, onTrouble, what: 'the insert' }, async () => {
      try {
        const { readRows } = await this.#send(batch);
        // A value like `{..}{..}` passes for two rows.
        if (readRows === batch.rows) return null;
        return { code: 'SEVERAL_VALUES', reason: `was read as ${readRows} rows`, drifted: false };
      } catch (error) {
        const refusal = this.#refusalOf(error, batch);
        if (refusal === null) throw error;
        return refusal;
      }
    });
  }

  async #send(batch: MessageBatch): Promise<{ readRows: number }> {
    this.#sent++;
    return await this.#options.clickhouse.insert({
      into: this.#options.into,
      format: 'JSONEachRow',
      body: Readable.from(batch.chunks, { objectMode: false }),
      settings: LANDING[this.#options.kind].settings,
    });
  }

  /**
   * The refusal of the batch itself, null when it should be sent again as it is.
   * @throws TidegateError for what neither another try nor leaving a message out would help.
   */
  #refusalOf(error: unknown, batch: MessageBatch): Refusal | null {
    const { table } = this.#options;
    if (!(error instanceof ClickHouseError)) return null;
    if (error.code === TOO_MANY_PARTS && /partitions/i.test(error.message) && batch.rows > 1) {
      return { code: TOO_MANY_PARTITIONS, reason: messageOf(error), drifted: false };
    }
    const kind = classify(error.code, error.message);
    if (kind === 'bad-data' || kind === 'drift') {
      const reason = `was refused: ${withoutExpression(messageOf(error))}`;
      // An event may have any fields; what does not fit its landing table is no event.
      const drifted = kind === 'drift' && this.#options.kind === 'changes';
      return { code: error.type ?? error.code, reason, drifted };
    }
    if (kind === 'access') {
      throw new TidegateError('ACCESS_DENIED', `ClickHouse refused to insert into ${table}: ${messageOf(error)}`, {
        remedy: 'Grant the user INSERT on the landing table and SELECT and INSERT behind it.',
        cause: error,
      });
    }
    return null;
  }
}
