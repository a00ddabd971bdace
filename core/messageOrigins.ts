import type { Cut, EnvelopeCut } from './envelopeCut.ts';

/** What a message was sent with, beside what is sent on as its row. */
export interface MessageOrigin {
  key: Buffer | null;
  /** When the broker's producer wrote it, epoch milliseconds. */
  timestampMs: number;
  /** Blanks before the value's first brace. */
  lead: Buffer;
  /** What was cut out of the value, by its place behind the blanks. */
  cuts: Cut[];
}

/** A message whose value has been sent on, except what stands before `start` and what is cut out. */
interface SentMessage {
  key: Buffer | null;
  timestampMs: number;
  value: Buffer;
  start: number;
  cut: EnvelopeCut | null;
}

/** The time, and the lengths of the key, the lead and the cuts. */
const HEAD = 20;
/** Place and length. */
const CUT_HEAD = 8;
const CUTS = 3;
const FIRST_SIZE = 4 * 1024;

/**
 * The origins of a batch's messages in their order. An insert does not need them, but a dead letter does; they are
 * packed, since there are many of them and few are ever read.
 */
export class MessageOrigins {
  #packed: Buffer = Buffer.alloc(0);
  #used = 0;
  #cursor = { index: 0, at: 0 };
  /** When the last message was written, epoch milliseconds; 0 before the first. */
  lastMs = 0;

  get bytes(): number {
    return this.#used;
  }

  append({ key, timestampMs, value, start, cut }: SentMessage): void {
    const cutBytes = cut ? CUTS * CUT_HEAD + cut.length : 0;
    const length = HEAD + (key?.length ?? 0) + start + cutBytes;
    if (this.#used + length > this.#packed.length) this.#grow(length);
    const packed = this.#packed;
    let at = packed.writeDoubleLE(timestampMs, this.#used);
    at = packed.writeInt32LE(key === null ? -1 : key.length, at);
    at = packed.writeInt32LE(start, at);
    at = packed.writeInt32LE(cutBytes, at);
    if (key !== null) at += key.copy(packed, at);
    if (start > 0) at += value.copy(packed, at, 0, start);
    if (cut) {
      let gone = start;
      at = this.#cut(at, { value, from: cut.sourceFrom, to: cut.sourceTo, gone });
      gone += cut.sourceTo - cut.sourceFrom;
      at = this.#cut(at, { value, from: cut.namesFrom, to: cut.namesTo, gone });
      gone += cut.namesTo - cut.namesFrom;
      this.#cut(at, { value, from: cut.tailFrom, to: cut.tailTo, gone });
    }
    this.#used += length;
    this.lastMs = timestampMs;
  }

  /** Appends what stands at a position of another batch's origins. */
  appendFrom(other: MessageOrigins, index: number): void {
    const { timestampMs } = other.at(index);
    const from = other.#cursor.at;
    const { end } = other.#read(from);
    if (this.#used + end - from > this.#packed.length) this.#grow(end - from);
    other.#packed.copy(this.#packed, this.#used, from, end);
    this.#used += end - from;
    this.lastMs = timestampMs;
  }

  /** @param cut.gone bytes before `from` that are not in what was sent on. */
  #cut(at: number, { value, from, to, gone }: { value: Buffer; from: number; to: number; gone: number }): number {
    const next = this.#packed.writeInt32LE(to - from, this.#packed.writeInt32LE(from - gone, at));
    return next + value.copy(this.#packed, next, from, to);
  }

  /** The origin of the message at a position of the batch. Asking in ascending order reads everything once. */
  at(index: number): MessageOrigin {
    if (index < this.#cursor.index) this.#cursor = { index: 0, at: 0 };
    while (this.#cursor.index < index) {
      this.#cursor = { index: this.#cursor.index + 1, at: this.#read(this.#cursor.at).end };
    }
    return this.#read(this.#cursor.at).origin;
  }

  #read(at: number): { origin: MessageOrigin; end: number } {
    if (at >= this.#used) throw new RangeError('a batch has fewer messages than were asked for');
    const packed = this.#packed;
    const keyLength = packed.readInt32LE(at + 8);
    const keyEnd = at + HEAD + Math.max(0, keyLength);
    const leadEnd = keyEnd + packed.readInt32LE(at + 12);
    const end = leadEnd + packed.readInt32LE(at + 16);
    const key = keyLength < 0 ? null : packed.subarray(at + HEAD, keyEnd);
    const cuts: Cut[] = [];
    for (let next = leadEnd; next < end; ) {
      const from = next + CUT_HEAD;
      next = from + packed.readInt32LE(next + 4);
      cuts.push({ at: packed.readInt32LE(from - CUT_HEAD), bytes: packed.subarray(from, next) });
    }
    return { origin: { key, timestampMs: packed.readDoubleLE(at), lead: packed.subarray(keyEnd, leadEnd), cuts }, end };
  }

  #grow(length: number): void {
    const grown = Buffer.allocUnsafeSlow(Math.max(FIRST_SIZE, 2 * this.#packed.length, this.#used + length));
    this.#packed.copy(grown, 0, 0, this.#used);
    this.#packed = grown;
  }
}
