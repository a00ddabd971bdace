import { ChunkPool, Chunks } from './chunks.ts';
import type { BadMessage } from './deadLetters.ts';
import { coordinatesOf, type LineForm, linePrefix, SPLICED } from './envelope.ts';
import { EnvelopeCut } from './envelopeCut.ts';
import { MessageOrigins } from './messageOrigins.ts';

const NEWLINE = 0x0a;
const CLOSE = 0x7d;

/** Lines for one insert: each is one message with its coordinates spliced in, ended by a line break. */
export interface MessageBatch {
  chunks: readonly Buffer[];
  rows: number;
  bytes: number;
}

/** What was pending, with the offsets to commit once it has landed, by partition. It may have no rows, only offsets. */
export interface PendingBatch extends MessageBatch {
  next: ReadonlyMap<number, bigint>;
  /** What the messages of the rows were sent with, in the rows' order. */
  origins: MessageOrigins;
  /** Messages that were recognised as bad and are not among the rows. */
  rejected: readonly BadMessage[];
  /** Bytes of all of it. */
  heldBytes: number;
}

/** A message as it was read, and the position of its value's first brace. */
export interface PendingMessage {
  partition: number;
  offset: string;
  key: Buffer | null;
  timestampMs: number;
  value: Buffer;
  start: number;
}

/** Collects messages as the bytes of an insert. Values are copied, so that the broker's answer they came in can be freed. */
export class StreamBuffer {
  readonly #form: LineForm;
  readonly #cut = new EnvelopeCut();
  readonly #pool = new ChunkPool();
  #lines = new Chunks(this.#pool);
  #rows = 0;
  #next = new Map<number, bigint>();
  #origins = new MessageOrigins(this.#pool);
  #rejected: BadMessage[] = [];
  #rejectedBytes = 0;
  #prefix = '';
  #prefixPartition = -1;

  constructor(form: LineForm = SPLICED) {
    this.#form = form;
  }

  get rows(): number {
    return this.#rows;
  }

  /** Bytes of everything that is held. */
  get bytes(): number {
    return this.#lines.bytes + this.#origins.bytes + this.#rejectedBytes;
  }

  /** True when there is nothing to land nor to commit. */
  get empty(): boolean {
    return this.#next.size === 0;
  }

  append({ partition, offset, key, timestampMs, value, start }: PendingMessage): void {
    if (partition !== this.#prefixPartition) {
      this.#prefix = linePrefix(partition);
      this.#prefixPartition = partition;
    }
    const { open, close } = this.#form;
    const head = `${this.#prefix}${offset},${open}`;
    const cut = this.#form === SPLICED && this.#cut.find(value) ? this.#cut : null;
    const length = head.length + value.length - start + close.length - (cut?.length ?? 0);
    let at = this.#lines.reserve(length);
    const { chunk } = this.#lines;
    at += chunk.write(head, at, 'latin1');
    if (cut) {
      at += value.copy(chunk, at, start + 1, cut.sourceFrom);
      at += value.copy(chunk, at, cut.sourceTo, cut.namesFrom);
      at += value.copy(chunk, at, cut.namesTo, cut.tailFrom);
      chunk[at++] = CLOSE;
    } else {
      at += value.copy(chunk, at, start + 1);
    }
    if (close !== '') at += chunk.write(close, at, 'latin1');
    chunk[at] = NEWLINE;
    this.#rows++;
    this.#origins.append({ key, timestampMs, value, start, cut });
  }

  /** Takes a message that is not to be inserted; its bytes are copied. */
  reject(bad: BadMessage): void {
    this.#rejected.push({ ...bad, key: bad.key && Buffer.from(bad.key), value: Buffer.from(bad.value) });
    this.#rejectedBytes += bad.value.length + (bad.key?.length ?? 0);
  }

  /** Notes the offset to commit when everything appended so far has landed. */
  advance(partition: number, next: bigint): void {
    this.#next.set(partition, next);
  }

  /** Takes everything, leaving the buffer empty; null when there is nothing to land or to commit. */
  take(): PendingBatch | null {
    if (this.empty) return null;
    this.#origins.close();
    const batch = {
      ...{ chunks: this.#lines.close(), rows: this.#rows, bytes: this.#lines.bytes, next: this.#next },
      ...{ origins: this.#origins, rejected: this.#rejected, heldBytes: this.bytes },
    };
    this.clear();
    return batch;
  }

  /** Takes back the memory of a batch that nobody reads any more, for what is still to come. */
  reuse(batch: PendingBatch): void {
    this.#pool.give([...batch.chunks, ...batch.origins.close()]);
  }

  /** Lets go of such memory when nothing waits, so that a stream that has caught up holds none. */
  trim(): void {
    if (this.empty) this.#pool.clear();
  }

  clear(): void {
    this.#lines = new Chunks(this.#pool);
    this.#rows = 0;
    this.#next = new Map();
    this.#origins = new MessageOrigins(this.#pool);
    this.#rejected = [];
    this.#rejectedBytes = 0;
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

/** The lines of a batch, each with its line break. */
export function linesOf(batch: MessageBatch): Buffer[] {
  const lines: Buffer[] = [];
  for (const chunk of batch.chunks) {
    for (let start = 0; start < chunk.length; start += lines.at(-1)!.length) {
      lines.push(chunk.subarray(start, chunk.indexOf(NEWLINE, start) + 1));
    }
  }
  return lines;
}

/**
 * What is left of a batch when some partitions stand still: messages of the others that have not landed.
 * @param options.landed the offset that follows what has landed, by partition.
 */
export function ofOtherPartitions(
  batch: PendingBatch,
  { still, landed }: { still: ReadonlySet<number>; landed: ReadonlyMap<number, bigint> },
): PendingBatch {
  const moves = ({ partition, offset }: { partition: number; offset: bigint }) =>
    !still.has(partition) && offset >= (landed.get(partition) ?? 0n);
  const lines: Buffer[] = [];
  const origins = new MessageOrigins();
  let index = 0;
  for (const chunk of batch.chunks) {
    for (let start = 0; start < chunk.length; index++) {
      const end = chunk.indexOf(NEWLINE, start) + 1;
      if (moves(coordinatesOf(chunk.subarray(start, Math.min(end, start + 80))))) {
        lines.push(chunk.subarray(start, end));
        origins.appendFrom(batch.origins, index);
      }
      start = end;
    }
  }
  origins.close();
  const chunks = lines.length > 0 ? [Buffer.concat(lines)] : [];
  return {
    ...{ chunks, rows: lines.length, bytes: chunks[0]?.length ?? 0, origins, heldBytes: batch.heldBytes },
    next: new Map([...batch.next].filter(([partition]) => !still.has(partition))),
    rejected: batch.rejected.filter(moves),
  };
}

/** Up to `count` single rows from all over a batch. */
export function sampleRows(batch: MessageBatch, count: number): MessageBatch[] {
  const bytes = Buffer.concat(batch.chunks);
  const step = Math.max(1, Math.floor(batch.rows / count));
  const sample: MessageBatch[] = [];
  for (let start = 0, row = 0; start < bytes.length && sample.length < count; row++) {
    const end = bytes.indexOf(NEWLINE, start) + 1;
    if (row % step === 0) sample.push({ chunks: [bytes.subarray(start, end)], rows: 1, bytes: end - start });
    start = end;
  }
  return sample;
}

/** The last line without its line break; null when there are no rows. */
export function lastLine(batch: MessageBatch): Buffer | null {
  const chunk = batch.chunks.at(-1);
  if (!chunk) return null;
  const end = chunk.length - 1;
  return chunk.subarray(end === 0 ? 0 : chunk.lastIndexOf(NEWLINE, end - 1) + 1, end);
}
