import { Transform, type TransformCallback } from 'node:stream';
import { raise } from './errors.ts';

const MAGIC = 0x184d2204;
const HISTORY = 64 * 1024;
const BLOCK_SIZES: Record<number, number> = { 4: 64 * 1024, 5: 256 * 1024, 6: 1024 * 1024, 7: 4 * 1024 * 1024 };

/** Decodes the LZ4 frame format, which Python's clickhouse-connect sends by default. Checksums are skipped, not verified. */
export class Lz4Decoder extends Transform {
  #pending: Buffer = Buffer.alloc(0);
  #frame: { blockSize: number; linked: boolean; blockChecksum: boolean; checksum: boolean } | undefined;
  /** The last 64 KiB of output, which linked blocks refer to. */
  #history: Buffer = Buffer.alloc(0);

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    try {
      let used = this.#step();
      while (used > 0) {
        this.#pending = this.#pending.subarray(used);
        used = this.#step();
      }
      done();
    } catch (error) {
      done(error as Error);
    }
  }

  override _flush(done: TransformCallback): void {
    const whole = this.#pending.length === 0 && !this.#frame;
    done(whole ? null : raise.badBody('Cannot decompress the request body: the LZ4 frame is incomplete.'));
  }

  /** Decodes the next header, block or frame end; returns how many bytes it took, 0 when more must come first. */
  #step(): number {
    return this.#frame ? this.#block(this.#frame) : this.#header();
  }

  #header(): number {
    const bytes = this.#pending;
    if (bytes.length < 7) return 0;
    if (bytes.readUInt32LE(0) !== MAGIC) throw raise.badBody('Cannot decompress the request body: not an LZ4 frame.');
    const flags = bytes[4]!;
    const size = 7 + (flags & 0x08 ? 8 : 0) + (flags & 0x01 ? 4 : 0);
    if (bytes.length < size) return 0;
    const blockSize = BLOCK_SIZES[(bytes[5]! >> 4) & 7];
    if (flags >> 6 !== 1 || !blockSize) throw raise.badBody('Cannot decompress the request body: unknown LZ4 version.');
    const [linked, blockChecksum, checksum] = [!(flags & 0x20), !!(flags & 0x10), !!(flags & 0x04)];
    this.#frame = { blockSize, linked, blockChecksum, checksum };
    this.#history = Buffer.alloc(0);
    return size;
  }

  #block(frame: { blockSize: number; linked: boolean; blockChecksum: boolean; checksum: boolean }): number {
    if (this.#pending.length < 4) return 0;
    const word = this.#pending.readUInt32LE(0);
    if (word === 0) {
      const size = frame.checksum ? 8 : 4;
      if (this.#pending.length < size) return 0;
      this.#frame = undefined;
      return size;
    }
    const length = word & 0x7fffffff;
    const size = 4 + length + (frame.blockChecksum ? 4 : 0);
    if (this.#pending.length < size) return 0;
    const block = this.#pending.subarray(4, 4 + length);
    const stored = word >>> 31 === 1;
    const plain = stored
      ? Buffer.from(block)
      : decodeBlock(block, frame.linked ? this.#history : EMPTY, frame.blockSize);
    if (frame.linked) this.#history = Buffer.concat([this.#history, plain]).subarray(-HISTORY);
    this.push(plain);
    return size;
  }
}

const EMPTY = Buffer.alloc(0);

/** Decodes one block: literals and copies of what was decoded up to 64 KiB before. */
function decodeBlock(block: Buffer, history: Buffer, maxSize: number): Buffer {
  const out = Buffer.allocUnsafe(history.length + maxSize);
  history.copy(out);
  let at = 0;
  let end = history.length;
  const extended = (start: number): number => {
    let length = start;
    if (start === 15) {
      let more = 255;
      while (more === 255) {
        more = block[at++]!;
        length += more;
      }
    }
    return length;
  };
  while (at < block.length) {
    const token = block[at++]!;
    const literals = extended(token >> 4);
    block.copy(out, end, at, at + literals);
    at += literals;
    end += literals;
    if (at >= block.length) break;
    const offset = block.readUInt16LE(at);
    at += 2;
    const length = extended(token & 15) + 4;
    if (offset === 0 || offset > end || end + length > out.length) {
      throw raise.badBody('Cannot decompress the request body: the LZ4 data is broken.');
    }
    if (offset >= length) out.copyWithin(end, end - offset, end - offset + length);
    else for (let i = 0; i < length; i += 1) out[end + i] = out[end + i - offset]!;
    end += length;
  }
  return out.subarray(history.length, end);
}
