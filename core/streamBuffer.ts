import { coordinatesOf, linePrefix } from './envelope.ts';

const FIRST_CHUNK = 16 * 1024;
const LARGEST_CHUNK = 1024 * 1024;
const NEWLINE = 0x0a;

/** Lines for one insert: each is one message with its coordinates spliced in, ended by a line break. */
export interface MessageBatch {
  chunks: readonly Buffer[];
  rows: number;
  bytes: number;
}

/** What was pending, with the offsets to commit once it has landed, by partition. It may have no rows, only offsets. */
export interface PendingBatch extends MessageBatch {
  next: ReadonlyMap<number, bigint>;
}

/**
 * Collects messages as the bytes of an insert. Values are copied, so that the broker's answer they came in can be
 * freed; chunks grow from small to large, so that a quiet stream allocates little and a busy one seldom.
 */
export class StreamBuffer {
  #chunks: Buffer[] = [];
  #chunk: Buffer = Buffer.alloc(0);
  #used = 0;
  #rows = 0;
  #bytes = 0;
  #next = new Map<number, bigint>();
  #prefix = '';
  #prefixPartition = -1;

  get rows(): number {
    return this.#rows;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** True when there is nothing to land nor to commit. */
  get empty(): boolean {
    return this.#next.size === 0;
  }

  /** @param message.start the position of the value's first brace. */
  append(message: { partition: number; offset: string; value: Buffer; start: number }): void {
    const { partition, offset, value, start } = message;
    if (partition !== this.#prefixPartition) {
      this.#prefix = linePrefix(partition);
      this.#prefixPartition = partition;
    }
    const head = `${this.#prefix}${offset},`;
    const length = head.length + value.length - start;
    if (this.#used + length > this.#chunk.length) this.#grow(length);
    this.#chunk.write(head, this.#used, 'latin1');
    value.copy(this.#chunk, this.#used + head.length, start + 1);
    this.#used += length;
    this.#chunk[this.#used - 1] = NEWLINE;
    this.#rows++;
    this.#bytes += length;
  }

  /** Notes the offset to commit when everything appended so far has landed. */
  advance(partition: number, next: bigint): void {
    this.#next.set(partition, next);
  }

  /** Takes everything, leaving the buffer empty; null when there is nothing to land or to commit. */
  take(): PendingBatch | null {
    if (this.empty) return null;
    this.#closeChunk();
    const batch = { chunks: this.#chunks, rows: this.#rows, bytes: this.#bytes, next: this.#next };
    this.clear();
    return batch;
  }

  clear(): void {
    this.#chunks = [];
    this.#chunk = Buffer.alloc(0);
    this.#used = 0;
    this.#rows = 0;
    this.#bytes = 0;
    this.#next = new Map();
  }

  #grow(length: number): void {
    const size = Math.min(LARGEST_CHUNK, Math.max(FIRST_CHUNK, this.#bytes));
    this.#closeChunk();
    this.#chunk = Buffer.allocUnsafeSlow(Math.max(size, length));
    this.#used = 0;
  }

  #closeChunk(): void {
    if (this.#used > 0) this.#chunks.push(this.#chunk.subarray(0, this.#used));
  }
}

/** Cuts a batch of at least two rows into two, at about the middle of its bytes. The order stays. */
export function halve(batch: MessageBatch): [MessageBatch, MessageBatch] {
  const bytes = batch.chunks.length === 1 ? batch.chunks[0]! : Buffer.concat(batch.chunks);
  const middle = bytes.length >> 1;
  const after = bytes.indexOf(NEWLINE, middle);
  const cut = (after === bytes.length - 1 ? bytes.lastIndexOf(NEWLINE, middle - 1) : after) + 1;
  return [batchOf(bytes.subarray(0, cut)), batchOf(bytes.subarray(cut))];
}

function batchOf(bytes: Buffer): MessageBatch {
  let rows = 0;
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) rows++;
  return { chunks: [bytes], rows, bytes: bytes.length };
}

/** The offset that follows the last row of each partition in the batch. */
export function nextOffsets(batch: MessageBatch): Map<number, bigint> {
  const next = new Map<number, bigint>();
  for (const chunk of batch.chunks) {
    for (let start = 0; start < chunk.length; start = chunk.indexOf(NEWLINE, start) + 1) {
      const { partition, offset } = coordinatesOf(chunk.subarray(start, start + 80));
      next.set(partition, offset + 1n);
    }
  }
  return next;
}

/** The last line without its line break; null when there are no rows. */
export function lastLine(batch: MessageBatch): Buffer | null {
  const chunk = batch.chunks.at(-1);
  if (!chunk) return null;
  const end = chunk.length - 1;
  return chunk.subarray(end === 0 ? 0 : chunk.lastIndexOf(NEWLINE, end - 1) + 1, end);
}
