import { nameInSource } from './names.ts';

/**
 * What the stream needs to know of a message's bytes without parsing them. JSON.parse would lose 64-bit integers and
 * decimals, and cost more than everything else that the stream does.
 */

const BRACE = 0x7b;
const NEWLINE = 0x0a;

/**
 * Where the value's object begins: the position of its first brace, after blanks. -1 when the value cannot be one JSON
 * object on one line.
 */
export function objectStart(value: Buffer): number {
  let start = 0;
  if (value[0] !== BRACE) {
    while (value[start] === 0x20 || value[start] === 0x09 || value[start] === 0x0d) start++;
    if (value[start] !== BRACE) return -1;
  }
  return value.includes(NEWLINE) ? -1 : start;
}

/** Why objectStart refused a value; the reason is the end of a sentence that begins with the message. */
export function defectOf(value: Buffer): { code: string; reason: string } {
  return value.includes(NEWLINE)
    ? { code: 'RAW_LINE_BREAK', reason: 'holds a raw line break' }
    : { code: 'NOT_JSON', reason: 'is not a JSON object' };
}

/** What stands in a line between its coordinates and what follows the message's first brace, and at its end. */
export interface LineForm {
  open: string;
  close: string;
}

/** The coordinates become fields of the message. */
export const SPLICED: LineForm = { open: '', close: '' };
/** The message stays an object of its own beside them. */
export const WRAPPED: LineForm = { open: '"message":{', close: '}' };

/** The beginning of every line that is sent to a landing table; the offset, a comma and the form's opening follow. */
export function linePrefix(partition: number): string {
  return `{"_partition":${partition},"_offset":`;
}

/** Reads back what linePrefix and the offset wrote. */
export function coordinatesOf(line: Buffer): { partition: number; offset: bigint } {
  const match = /^\{"_partition":(\d+),"_offset":(\d+),/.exec(line.toString('latin1', 0, 80));
  if (!match) throw new Error('a line of a stream batch lacks its coordinates');
  return { partition: Number(match[1]), offset: BigInt(match[2]!) };
}

const SOURCE = Buffer.from('"source":{');

/**
 * When and where Debezium's message was committed at the source, found in the bytes. Inside a text of the row these very
 * bytes cannot stand, for there a quote is escaped. Null where the message does not say.
 */
export function sourceMarks(line: Buffer): { commitMs: number | null; lsn: bigint | null } {
  const at = line.lastIndexOf(SOURCE);
  if (at < 0) return { commitMs: null, lsn: null };
  const source = line.toString('latin1', at, Math.min(line.length, at + 1000));
  const commitUs = /"ts_us":(\d+)/.exec(source)?.[1];
  const lsn = /"lsn":(\d+)/.exec(source)?.[1];
  return { commitMs: commitUs ? Math.floor(Number(commitUs) / 1000) : null, lsn: lsn ? BigInt(lsn) : null };
}

/**
 * The names of the columns that one message's row has, as the source knows them; null when it has no row, or not one
 * kind of row. The row is parsed for its names only: this is for the one message at which a stream stops.
 */
export function columnNames(message: Buffer): string[] | null {
  const rows = rowsOf(message).map((row) => Object.keys(row).map(nameInSource));
  const [names, ...others] = rows;
  if (!names || others.some((other) => other.join('\0') !== names.join('\0'))) return null;
  return names;
}

function rowsOf(message: Buffer): object[] {
  try {
    const { after, before } = JSON.parse(message.toString('utf8')) as Record<'after' | 'before', unknown>;
    return [after, before].filter((row) => typeof row === 'object' && row !== null);
  } catch {
    // What ClickHouse refused for its columns may be cut off behind them.
    return [];
  }
}
