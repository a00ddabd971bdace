import { type ChunkPool, Chunks } from './chunks.ts';
import type { EnvelopeCut, Tail } from './envelopeCut.ts';

/** What a message was sent with, beside what is sent on as its row. */
export interface MessageOrigin {
  key: Buffer | null;
  /** When the broker's producer wrote it, epoch milliseconds. */
  timestampMs: number;
  /** Blanks before the value's first brace. */
  lead: Buffer;
  /** The end of the value, where something was cut out of it. */
  tail: Tail | null;
}

/** A message whose value has been sent on, except what stands before `start` and what is cut out. */
interface SentMessage {
  key: Buffer | null;
  timestampMs: number;
  value: Buffer;
  start: number;
  cut: EnvelopeCut | null;
}

/** The time, the lengths of the key and the lead, and the tail's place and length. */
const HEAD = 24;
const NONE = -1;

/**
 * The origins of a batch's messages in their order. An insert does not need them, but a dead letter does; they are
 * packed, since there are many of them and few are ever read.
 */
export class MessageOrigins {
  readonly #packed: Chunks;
  #closed: readonly Buffer[] = [];
  #cursor = { index: 0, chunk: 0, at: 0 };
  /** When the last message was written, epoch milliseconds; 0 before the first. */
  lastMs = 0;

  constructor(pool?: ChunkPool) {
    this.#packed = new Chunks(pool);
  }

  get bytes(): number {
    return this.#packed.bytes;
  }

  append({ key, timestampMs, value, start, cut }: SentMessage): void {
    const keyLength = key === null ? 0 : key.length;
    const tailLength = cut === null ? 0 : value.length - cut.sourceFrom;
    let at = this.#packed.reserve(HEAD + keyLength + start + tailLength);
    const { chunk } = this.#packed;
    at = chunk.writeDoubleLE(timestampMs, at);
    at = chunk.writeInt32LE(key === null ? NONE : keyLength, at);
    at = chunk.writeInt32LE(start, at);
    at = chunk.writeInt32LE(cut === null ? NONE : cut.sourceFrom - start, at);
    at = chunk.writeInt32LE(tailLength, at);
    if (key !== null) at += key.copy(chunk, at);
    if (start > 0) at += value.copy(chunk, at, 0, start);
    if (cut !== null) value.copy(chunk, at, cut.sourceFrom);
    this.lastMs = timestampMs;
  }

  /** Nothing is appended any more. @returns the memory that holds the origins. */
  close(): readonly Buffer[] {
    this.#closed = this.#packed.close();
    return this.#closed;
  }

  /** Appends what stands at a position of another batch's origins. */
  appendFrom(other: MessageOrigins, index: number): void {
    const { timestampMs } = other.at(index);
    const { chunk, at } = other.#cursor;
    const packed = other.#closed[chunk]!;
    const { end } = read(packed, at);
    const to = this.#packed.reserve(end - at);
    packed.copy(this.#packed.chunk, to, at, end);
    this.lastMs = timestampMs;
  }

  /** The origin of the message at a position of the closed batch. Asking in ascending order reads everything once. */
  at(index: number): MessageOrigin {
    const cursor = this.#cursor;
    if (index < cursor.index) Object.assign(cursor, { index: 0, chunk: 0, at: 0 });
    for (;;) {
      const packed = this.#closed[cursor.chunk];
      if (packed === undefined) throw new RangeError('a batch has fewer messages than were asked for');
      if (cursor.at === packed.length) Object.assign(cursor, { chunk: cursor.chunk + 1, at: 0 });
      else {
        const { origin, end } = read(packed, cursor.at);
        if (cursor.index === index) return origin;
        Object.assign(cursor, { index: cursor.index + 1, at: end });
      }
    }
  }
}

function read(packed: Buffer, at: number): { origin: MessageOrigin; end: number } {
  const keyLength = packed.readInt32LE(at + 8);
  const tailAt = packed.readInt32LE(at + 16);
  const keyEnd = at + HEAD + Math.max(0, keyLength);
  const leadEnd = keyEnd + packed.readInt32LE(at + 12);
  const end = leadEnd + packed.readInt32LE(at + 20);
  const origin = {
    key: keyLength === NONE ? null : packed.subarray(at + HEAD, keyEnd),
    timestampMs: packed.readDoubleLE(at),
    lead: packed.subarray(keyEnd, leadEnd),
    tail: tailAt === NONE ? null : { at: tailAt, bytes: packed.subarray(leadEnd, end) },
  };
  return { origin, end };
}
