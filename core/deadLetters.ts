import { chTable } from './identifiers.ts';
import { DEAD_LETTERS_TABLE, SNAPSHOTS_TABLE } from './names.ts';
import { RowBinary } from './rowBinary.ts';

/** A message that cannot be loaded: its bytes, where it is in its topic, and why. */
export interface BadMessage {
  partition: number;
  offset: bigint;
  /** When it was written to the topic, epoch milliseconds. */
  timestampMs: number;
  key: Buffer | null;
  value: Buffer;
  /** The name of ClickHouse's error, or NOT_JSON, RAW_LINE_BREAK, SEVERAL_VALUES. */
  code: string;
  /** The end of a sentence that begins with the message. */
  reason: string;
}

/** A bad message with the table that it is for. */
export interface DeadLetter extends BadMessage {
  table: string;
  topic: string;
  /** Null when the message does not say. */
  lsn: bigint | null;
  /** The highest one of a message counts. */
  revision: number;
  /** Epoch milliseconds. */
  firstSeenMs: number;
  /** When it was landed after all, epoch milliseconds. */
  replayedMs: number | null;
}

/**
 * `outstanding`: not loaded. `replayed`: landed after all. `superseded`: older than a snapshot of its table, so that
 * what it said is in the target by other means, or is no longer true.
 */
export type DeadLetterStatus = 'outstanding' | 'replayed' | 'superseded';

/**
 * The statement that creates the table of dead letters; it says IF NOT EXISTS. Rows are only ever added: the highest
 * revision of a message counts, and one that is written twice falls onto itself.
 */
export function deadLettersDdl(database: string): string {
  return `CREATE TABLE IF NOT EXISTS ${chTable({ database, name: DEAD_LETTERS_TABLE })} (
    \`table\` String, topic String, partition Int32, offset Int64, message_time DateTime64(3, 'UTC'),
    lsn Nullable(UInt64), key Nullable(String), value String, error_code String, error String,
    first_seen_at DateTime64(3, 'UTC'), replayed_at Nullable(DateTime64(3, 'UTC')), revision UInt32
  ) ENGINE = ReplacingMergeTree(revision) ORDER BY (topic, partition, offset)
  COMMENT 'Messages that could not be loaded, as they were sent'`;
}

/** A dead letter as one row in the format RowBinary, with the table's columns in their order. */
export function deadLetterRow(letter: DeadLetter): Buffer {
  const row = new RowBinary();
  row.text(letter.table).text(letter.topic).int32(letter.partition).int64(letter.offset);
  row.int64(BigInt(Math.max(0, letter.timestampMs)));
  row.nullable(letter.lsn, (lsn) => row.uint64(lsn)).nullable(letter.key, (key) => row.text(key));
  row.text(letter.value).text(letter.code).text(letter.reason).int64(BigInt(letter.firstSeenMs));
  row.nullable(letter.replayedMs, (replayed) => row.int64(BigInt(replayed))).int32(letter.revision);
  return row.bytes();
}

/**
 * A SELECT of the dead letters' last revisions, with all columns and `status`, for a WITH or a FROM. Its parameters:
 * `topics` (Array(String)), and, when there are snapshots to compare with, `slot` (String) and `histories` (Array(String)):
 * labels of the tables of which a snapshot copies nothing.
 *
 * A letter is superseded by a finished copy of its table when its change is older than the version of the copied rows,
 * or when it was seen before that copy had begun.
 */
export function deadLettersSql(database: string, { snapshots }: { snapshots: boolean }): string {
  const letters = `SELECT * FROM ${chTable({ database, name: DEAD_LETTERS_TABLE })} FINAL WHERE topic IN {topics:Array(String)}`;
  const status = (superseded: string) =>
    `multiIf(replayed_at IS NOT NULL, 'replayed', ${superseded}, 'superseded', 'outstanding') AS status`;
  if (!snapshots) return `SELECT *, ${status('false')} FROM (${letters})`;
  const log = chTable({ database, name: SNAPSHOTS_TABLE });
  const half = (index: number) => `leftPad(splitByChar('/', lsn)[${index}], 8, '0')`;
  // A copy of all tables begins with one row 'started', the resync of a table with its row 'resyncing'; what ends a copy
  // belongs to the last beginning before it.
  const copies = `SELECT finished.copied AS copied, max(finished.copied_lsn) AS copied_lsn,
      max(started.begun_at) AS begun_at
    FROM (SELECT 1 AS one, \`table\` AS copied, recorded_at,
        reinterpretAsUInt64(reverse(unhex(concat(${half(1)}, ${half(2)})))) AS copied_lsn
      FROM ${log} WHERE slot = {slot:String} AND state IN ('finished', 'resynced') AND \`table\` NOT IN {histories:Array(String)}
      ORDER BY recorded_at DESC LIMIT 1 BY \`table\`) AS finished
    LEFT JOIN (SELECT 1 AS one, \`table\` AS begun, recorded_at AS begun_at FROM ${log}
      WHERE slot = {slot:String} AND state IN ('started', 'resyncing')) AS started ON finished.one = started.one
    WHERE started.begun_at <= finished.recorded_at AND started.begun IN ('', finished.copied) GROUP BY copied`;
  return `SELECT letters.*, ${status(
    "copies.copied != '' AND (ifNull(letters.lsn < copies.copied_lsn, false) OR letters.first_seen_at < copies.begun_at)",
  )} FROM (${letters}) AS letters LEFT JOIN (${copies}) AS copies ON letters.\`table\` = copies.copied`;
}
