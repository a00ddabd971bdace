import type { SourceColumn } from './catalog.ts';
import { UNAVAILABLE_BYTES, UNAVAILABLE_UUID, UNAVAILABLE_VALUE } from './connectorConfig.ts';
import { sourceRows } from './ddlCopy.ts';
import { pgIdentifier, pgLiteral } from './identifiers.ts';
import { debeziumName } from './names.ts';
import type { EraColumn } from './schemaVersion.ts';
import { copyText, isWholeRowKey, keyNames, type TargetShape } from './typeMapping.ts';

/**
 * Messages that leave open what a value is, and what the source says of their rows now.
 *
 * A message of key k takes over the row that the source has under k at a moment S, or that it has none, and keeps its own
 * version. Exact once the stream is quiet, provided that S sees the message's transaction:
 * - A change of k that S does not see was made by a transaction that had not ended at S. PostgreSQL lets it touch k only
 *   after every earlier change of k has been committed or rolled back (row locks, and for a new row the unique index of k,
 *   which may not be deferrable). So it was written after the message's transaction had been committed: its LSN is greater
 *   than the message's, and its own message, which follows, wins.
 * - A change of k that S sees and that came after the message has a message with a greater version, which wins as well and
 *   says the same or something later. So it does not matter that the row is of a later moment, nor that k was deleted,
 *   moved to another key or inserted again meanwhile: under k, that is a later message too.
 * - When no later message follows, the row at S is the row that the message was about.
 * An LSN that is read before S would not do for a version: a transaction that is open then may have changed k already, with a
 * smaller LSN, and S does not see it.
 */

/** What the bytes of every message in question hold. More messages may: reading their rows changes nothing. */
const MARKS = [
  UNAVAILABLE_VALUE,
  UNAVAILABLE_BYTES.join(','),
  UNAVAILABLE_UUID,
  ...['"00:00:00Z"', '"P0Y0M0DT0H0M0S"', ':[null'],
].map((mark) => Buffer.from(mark));

/** Types whose values Debezium writes so that PostgreSQL reads the same value from it. */
const KEY_TYPES = [
  ...['int2', 'int4', 'int8', 'oid', 'numeric', 'bool', 'text', 'varchar', 'bpchar', 'citext', 'name', 'uuid', 'bytea'],
  ...['date', 'timestamp', 'timestamptz', 'inet', 'cidr', 'macaddr', 'macaddr8'],
];

/** Whether the rows of a table can be found by the key of a message, and stand for it: a history keeps what was, not what is. */
export function isRereadable(shape: Pick<TargetShape, 'table' | 'source'>): boolean {
  return shape.table.history === null && !isWholeRowKey(shape) && keysOf(shape).every(isKeyType);
}

function isKeyType({ typeName, typeKind }: SourceColumn): boolean {
  return typeKind === 'e' || KEY_TYPES.includes(typeName);
}

function keysOf(shape: Pick<TargetShape, 'table' | 'source'>): SourceColumn[] {
  return keyNames(shape).flatMap((name) => shape.source.columns.filter((column) => column.name === name));
}

/** True when the line may be of such a message. */
export function isUnsure(line: Buffer): boolean {
  return MARKS.some((mark) => line.includes(mark));
}

/** A message's row as far as it is needed, with every number as it was written. */
type Row = Record<string, unknown>;

/** A line of such a message, taken apart. */
export interface UnsureMessage {
  /** The texts of its key, in the key's order, as its message has them. */
  key: string[];
  /** The transaction that wrote it: the lower 32 bits of its id. */
  txId: bigint;
  /** The line for the row that the source has now, as JSON text by the messages' names; null when it has none. */
  complete: (row: string | null) => Buffer;
}

/** How the row of a message is found. */
export interface RereadPlan {
  /** Takes a line apart; null when it does not say which row it is about, or needs none, as a delete. */
  parse: (line: Buffer) => UnsureMessage | null;
  /**
   * Selects `n`, counted from 1, and `row`, see UnsureMessage.complete; the parameters are the texts of each column of the key, an
   * array of one text a message.
   */
  sql: string;
}

/** @param shape with the era of the messages; a table of which isRereadable is true. */
export function rereadPlan(shape: Pick<TargetShape, 'table' | 'source'> & { era: readonly EraColumn[] }): RereadPlan {
  const { source, era } = shape;
  const keys = keysOf(shape);
  const names = keys.map((key) => debeziumName(era.find(({ attnum }) => attnum === key.attnum)?.name ?? key.name));
  const texts = era.map(({ attnum }) => {
    const column = source.columns.find((each) => each.attnum === attnum);
    return column ? copyText(column) : 'NULL';
  });
  const sent = era.map(({ name }) => pgLiteral(debeziumName(name)));
  const found = keys.map((key, index) => `${pgIdentifier(key.name)} = ${keyValue(key, `wanted.k${index + 1}`)}`);
  return {
    parse: (line) => unsureMessage(line, names),
    sql:
      `SELECT wanted.n::int AS n, (SELECT json_object(ARRAY[${sent.join(', ')}]::text[], ARRAY[${texts.join(', ')}]::text[])::text ` +
      `FROM ${sourceRows(source)} AS tidegate_row WHERE ${found.join(' AND ')}) AS row ` +
      `FROM unnest(${keys.map((_, index) => `$${index + 1}::text[]`).join(', ')}) WITH ORDINALITY ` +
      `AS wanted(${keys.map((_, index) => `k${index + 1}`).join(', ')}, n)`,
  };
}

function keyValue({ type, typeName }: SourceColumn, text: string): string {
  return typeName === 'bytea' ? `decode(${text}, 'hex')` : `${text}::${type}`;
}

function unsureMessage(line: Buffer, names: readonly string[]): UnsureMessage | null {
  let message: { op?: unknown; before?: Row | null; after?: Row | null; source?: { txId?: unknown } };
  try {
    message = exactly.parse(line.toString('utf8'), (_, value, { source }) =>
      typeof value === 'number' ? exactly.rawJSON(source) : value,
    );
  } catch {
    return null;
  }
  const { op, before, after, source } = message;
  const txId = textOf(source?.txId);
  if (!['c', 'u', 'r'].includes(String(op)) || !after || !txId) return null;
  // A key that is too large to stay in its row is not sent again either, but then stands in `before`.
  const values = names.map((name) => (after[name] === UNAVAILABLE_VALUE ? before?.[name] : after[name]));
  const key = values.map(textOf);
  if (!key.every((text) => text !== null && text !== UNAVAILABLE_VALUE)) return null;
  const keyRow = Object.fromEntries(names.map((name, index) => [name, values[index]]));
  const changed = (row: string | null) =>
    row === null
      ? { op: 'd', before: before ?? { ...after, ...keyRow }, after: null }
      : // The key as it was written, so that it can be told from the one in `before`.
        { after: { ...(JSON.parse(row) as Row), ...keyRow }, _reread: 1 };
  const complete = (row: string | null) => Buffer.from(`${JSON.stringify({ ...message, ...changed(row) })}\n`);
  return { key: key as string[], txId: BigInt(txId), complete };
}

function textOf(value: unknown): string | null {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return String(value);
  return exactly.isRawJSON(value) ? value.rawJSON : null;
}

interface RawJson {
  rawJSON: string;
}

/** What of JSON is not in TypeScript's library yet. */
const exactly = JSON as unknown as {
  parse: <T>(text: string, reviver: (key: string, value: unknown, context: { source: string }) => unknown) => T;
  rawJSON: (text: string) => RawJson;
  isRawJSON: (value: unknown) => value is RawJson;
};

const CYCLE = 1n << 32n;

/**
 * Whether a snapshot sees what a transaction has committed, which is known to have been committed. A change may reach Kafka
 * before the server lets others see it.
 * @param snapshot pg_current_snapshot() as text: `xmin:xmax:xip,xip`.
 * @param txId the lower 32 bits of the transaction's id, which is less than 2^31 away from the snapshot.
 */
export function isVisible(snapshot: string, txId: bigint): boolean {
  const [, next = '', open = ''] = snapshot.split(':');
  if (open.split(',').some((id) => id !== '' && BigInt(id) % CYCLE === txId)) return false;
  const ahead = (txId - (BigInt(next) % CYCLE) + CYCLE) % CYCLE;
  return ahead >= CYCLE / 2n;
}
