/** The end of a value something was cut out of: where it begins, and its bytes before that. */
export interface Tail {
  at: number;
  bytes: Buffer;
}

const SOURCE = Buffer.from(',"source":{');
const COMMITTED = Buffer.from(',"ts_us":');
const NANOSECONDS = Buffer.from(',"ts_ns":');
const TRANSACTION = Buffer.from(',"txId":');
const OPERATION = Buffer.from(',"transaction":null,"op":"');
/** `,"ts_ms":<13 digits>,"ts_us":<16 digits>,"ts_ns":<19 digits>}`: when Debezium handled the change. */
const PROCESSED = Buffer.from(',"ts_ms":');
const TAIL = 76;
const TAIL_MICROSECONDS = 22;
const TAIL_NANOSECONDS = 47;
const OPEN = 0x7b;
const CLOSE = 0x7d;

/**
 * Finds the parts of Debezium's message that no landing table reads: of the source block all but the commit time, the
 * transaction and the LSN, and the times at the end. They are about half of a usual message, and ClickHouse would spend
 * half of its time on skipping them. A message that is not laid out to the byte as Debezium 3 writes it is left whole.
 *
 * A quote inside a text is escaped, so the names searched for can only be names; what is cut lies inside one object, the
 * last one, which only the operation and the times follow. So a message that is well-formed stays so, and keeps its row.
 */
export class EnvelopeCut {
  /** The parts that were found last, as positions in the value: three, in their order. */
  sourceFrom = 0;
  sourceTo = 0;
  namesFrom = 0;
  namesTo = 0;
  tailFrom = 0;
  tailTo = 0;
  /** Distances from the end, the same for most messages of a table. */
  #source = 0;
  #committed = 0;
  #nanoseconds = 0;
  #transaction = 0;

  /** Bytes of the three parts. */
  get length(): number {
    return this.sourceTo - this.sourceFrom + this.namesTo - this.namesFrom + this.tailTo - this.tailFrom;
  }

  /** True when there is something to cut; then the positions say what. */
  find(value: Buffer): boolean {
    const end = value.length;
    const tail = end - TAIL;
    if (tail <= 0 || value[end - 1] !== CLOSE || !isTail(value, tail)) return false;
    if (!this.#stands(value) && !this.#search(value)) return false;
    const source = end - this.#source;
    const transaction = end - this.#transaction;
    const close = value.indexOf(CLOSE, source);
    if (close < transaction || value.indexOf(OPEN, source + SOURCE.length) >= 0) return false;
    if (close + OPERATION.length + 3 !== tail || !standsAt(value, close + 1, OPERATION)) return false;
    this.sourceFrom = source + SOURCE.length;
    this.sourceTo = end - this.#committed + 1;
    this.namesFrom = end - this.#nanoseconds;
    this.namesTo = transaction;
    this.tailFrom = tail;
    this.tailTo = end - 1;
    return true;
  }

  #stands(value: Buffer): boolean {
    const end = value.length;
    return (
      standsAt(value, end - this.#source, SOURCE) &&
      standsAt(value, end - this.#committed, COMMITTED) &&
      standsAt(value, end - this.#nanoseconds, NANOSECONDS) &&
      standsAt(value, end - this.#transaction, TRANSACTION)
    );
  }

  #search(value: Buffer): boolean {
    const source = value.lastIndexOf(SOURCE);
    if (source < 0) return false;
    const committed = value.indexOf(COMMITTED, source);
    if (committed < 0) return false;
    const nanoseconds = value.indexOf(NANOSECONDS, committed);
    if (nanoseconds < 0) return false;
    const transaction = value.indexOf(TRANSACTION, nanoseconds);
    if (transaction < 0) return false;
    this.#source = value.length - source;
    this.#committed = value.length - committed;
    this.#nanoseconds = value.length - nanoseconds;
    this.#transaction = value.length - transaction;
    return true;
  }
}

/** The value as it was before something was cut out of its end. */
export function restored(rest: Buffer, tail: Tail | null): Buffer {
  return tail ? Buffer.concat([rest.subarray(0, tail.at), tail.bytes]) : rest;
}

function isTail(value: Buffer, at: number): boolean {
  return (
    standsAt(value, at, PROCESSED) &&
    standsAt(value, at + TAIL_MICROSECONDS, COMMITTED) &&
    standsAt(value, at + TAIL_NANOSECONDS, NANOSECONDS)
  );
}

function standsAt(value: Buffer, at: number, wanted: Buffer): boolean {
  if (at < 0) return false;
  for (let index = 0; index < wanted.length; index++) if (value[at + index] !== wanted[index]) return false;
  return true;
}
