import type { BadMessage } from '../core/deadLetters.ts';
import { coordinatesOf, type LineForm } from '../core/envelope.ts';
import { restored } from '../core/envelopeCut.ts';
import type { MessageOrigin } from '../core/messageOrigins.ts';
import { type MessageBatch, nextOffsets } from '../core/streamBuffer.ts';
import type { Refusal } from './runStreamLander.ts';

/** What has become of a batch's messages so far. Rows are told in the batch's order. */
export class Settling {
  readonly refused: BadMessage[] = [];
  /** What had landed before a row was refused, by partition. */
  readonly #landed = new Map<number, bigint>();

  landed(part: MessageBatch): void {
    if (this.refused.length > 0) return;
    for (const [partition, next] of nextOffsets(part)) this.#landed.set(partition, next);
  }

  /** The offsets to commit for a stream that stops right before the first bad message of each partition. */
  nextBeforeBad(rejected: readonly BadMessage[]): Map<number, bigint> {
    const next = new Map(this.#landed);
    for (const { partition, offset } of rejected) {
      const landed = next.get(partition);
      if (landed !== undefined && landed > offset) next.set(partition, offset);
    }
    return next;
  }
}

/** A refused row as the message that it came from. */
export function badMessage(
  row: MessageBatch,
  { refusal, origin, form }: { refusal: Refusal; origin: MessageOrigin; form: LineForm },
): BadMessage {
  const line = Buffer.concat(row.chunks).subarray(0, -1);
  const { partition, offset } = coordinatesOf(line);
  const begin = line.indexOf(',', line.indexOf(',') + 1) + 1 + form.open.length;
  const rest = line.subarray(begin, line.length - form.close.length);
  const value = Buffer.concat([origin.lead, restored(Buffer.concat([Buffer.from('{'), rest]), origin.tail)]);
  const key = origin.key && Buffer.from(origin.key);
  const { code, reason } = refusal;
  return { partition, offset, timestampMs: origin.timestampMs, key, value, code, reason };
}
