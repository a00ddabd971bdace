/** Builds rows of ClickHouse's RowBinary format, in which texts are bytes as they are. */
export class RowBinary {
  readonly #parts: Buffer[] = [];

  text(value: string | Buffer): this {
    const bytes = typeof value === 'string' ? Buffer.from(value) : value;
    this.#parts.push(varint(bytes.length), bytes);
    return this;
  }

  int32(value: number): this {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32LE(value);
    this.#parts.push(bytes);
    return this;
  }

  int64(value: bigint): this {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(value);
    this.#parts.push(bytes);
    return this;
  }

  uint64(value: bigint): this {
    return this.int64(BigInt.asIntN(64, value));
  }

  /** A Nullable: what `write` adds follows only when the value is there. */
  nullable<T>(value: T | null, write: (value: T) => unknown): this {
    this.#parts.push(Buffer.from([value === null ? 1 : 0]));
    if (value !== null) write(value);
    return this;
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

/** Unsigned LEB128. */
function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  bytes.push(rest);
  return Buffer.from(bytes);
}
