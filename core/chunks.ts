/** Bytes of a chunk that is used again. Small enough that a broker's answer fills hardly more than one. */
export const CHUNK = 256 * 1024;
const FIRST_CHUNK = 16 * 1024;

/** Chunks that have been used and will be again: V8 frees buffers that lived for a while only by looking at its whole heap. */
export class ChunkPool {
  #free: Buffer[] = [];

  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(CHUNK);
  }

  /** Takes back what a `Chunks` was filled with, which nobody may read any more; keeps no more than that. */
  give(used: readonly Buffer[]): void {
    for (const { buffer } of used) if (buffer.byteLength === CHUNK) this.#free.push(Buffer.from(buffer));
    this.#free.length = Math.min(this.#free.length, used.length);
  }

  clear(): void {
    this.#free = [];
  }
}

/** Bytes that are appended piece by piece. Chunks grow from small to large, so that a quiet stream allocates little. */
export class Chunks {
  readonly #pool: ChunkPool;
  #closed: Buffer[] = [];
  #used = 0;
  #bytes = 0;
  /** Where the piece is to be written that was reserved last. */
  chunk: Buffer = Buffer.alloc(0);

  constructor(pool: ChunkPool = new ChunkPool()) {
    this.#pool = pool;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Makes room for a piece that stays in one chunk. @returns its position in `chunk`. */
  reserve(length: number): number {
    if (this.#used + length > this.chunk.length) this.#grow(length);
    const at = this.#used;
    this.#used += length;
    this.#bytes += length;
    return at;
  }

  /** What was written, in its order; nothing may be appended after. */
  close(): readonly Buffer[] {
    if (this.#used > 0) this.#closed.push(this.chunk.subarray(0, this.#used));
    this.#used = 0;
    return this.#closed;
  }

  #grow(length: number): void {
    const size = Math.min(CHUNK, Math.max(FIRST_CHUNK, this.#bytes));
    this.close();
    this.chunk = size === CHUNK && length <= CHUNK ? this.#pool.take() : Buffer.allocUnsafeSlow(Math.max(size, length));
  }
}
