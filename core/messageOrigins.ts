/** What a message was sent with, beside its row. */
export interface MessageOrigin {
  key: Buffer | null;
  /** When the broker's producer wrote it, epoch milliseconds. */
  timestampMs: number;
  /** Blanks before the value's first brace. */
  lead: Buffer;
}

const HEAD = 16;
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

  append({ key, timestampMs, lead }: MessageOrigin): void {
    const length = HEAD + (key?.length ?? 0) + lead.length;
    if (this.#used + length > this.#packed.length) this.#grow(length);
    const packed = this.#packed;
    let at = packed.writeDoubleLE(timestampMs, this.#used);
    at = packed.writeInt32LE(key === null ? -1 : key.length, at);
    at = packed.writeInt32LE(lead.length, at);
    if (key !== null) at += key.copy(packed, at);
    lead.copy(packed, at);
    this.#used += length;
    this.lastMs = timestampMs;
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
    const keyLength = this.#packed.readInt32LE(at + 8);
    const keyEnd = at + HEAD + Math.max(0, keyLength);
    const end = keyEnd + this.#packed.readInt32LE(at + 12);
    const key = keyLength < 0 ? null : this.#packed.subarray(at + HEAD, keyEnd);
    return {
      origin: { key, timestampMs: this.#packed.readDoubleLE(at), lead: this.#packed.subarray(keyEnd, end) },
      end,
    };
  }

  #grow(length: number): void {
    const grown = Buffer.allocUnsafeSlow(Math.max(FIRST_SIZE, 2 * this.#packed.length, this.#used + length));
    this.#packed.copy(grown, 0, 0, this.#used);
    this.#packed = grown;
  }
}
