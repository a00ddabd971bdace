import type { ClickHouse } from '../adapters/clickhouse.ts';
import { type DeadLetter, type DeadLetterStatus, deadLetterRow, deadLettersSql } from '../core/deadLetters.ts';
import { historyTables, type Pipeline } from '../core/definition.ts';
import { chTable } from '../core/identifiers.ts';
import { streamLanes } from '../core/lanes.ts';
import { DEAD_LETTERS_TABLE, SNAPSHOTS_TABLE } from '../core/names.ts';

/** Which dead letters are meant; what is left out restricts nothing. */
export interface DeadLetterFilter {
  /** What the stream lands, by its label. */
  table?: string;
  partition?: number;
  offset?: bigint;
  /** Offsets, both included. */
  offsets?: { from: bigint; to: bigint };
  status?: DeadLetterStatus;
}

/** A stored dead letter with what became of it. */
export interface StoredDeadLetter extends DeadLetter {
  status: DeadLetterStatus;
}

/** The dead letters of one pipeline. Reading finds none where their table does not exist. */
export class DeadLetters {
  readonly #clickhouse: ClickHouse;
  readonly #pipeline: Pipeline;

  constructor(clickhouse: ClickHouse, pipeline: Pipeline) {
    this.#clickhouse = clickhouse;
    this.#pipeline = pipeline;
  }

  /** Writes revisions in one insert, and returns when they are durable. */
  async write(letters: readonly DeadLetter[]): Promise<void> {
    if (letters.length === 0) return;
    await this.#clickhouse.insert({
      into: chTable({ database: this.#pipeline.database, name: DEAD_LETTERS_TABLE }),
      format: 'RowBinary',
      body: Buffer.concat(letters.map(deadLetterRow)),
      settings: { async_insert: 0, insert_deduplicate: 0 },
    });
  }

  /** In the order of their coordinates; all of them when there is no limit. */
  async find(filter: DeadLetterFilter, limit?: number): Promise<StoredDeadLetter[]> {
    const rows = await this.#query<StoredRow>({
      select: `\`table\`, topic, partition, offset, toUnixTimestamp64Milli(message_time) AS message_ms, lsn,
        base64Encode(key) AS key, base64Encode(value) AS value, error_code, error,
        toUnixTimestamp64Milli(first_seen_at) AS first_seen_ms, toUnixTimestamp64Milli(replayed_at) AS replayed_ms,
        revision, status`,
      filter,
      rest: `ORDER BY topic, partition, offset${limit === undefined ? '' : ` LIMIT ${limit}`}`,
    });
    return rows.map(storedLetter);
  }

  /** How many are outstanding, by the label of their table; tables without any are left out. */
  async outstanding(): Promise<Map<string, number>> {
    const rows = await this.#query<{ table: string; letters: string }>({
      select: '`table`, count() AS letters',
      filter: { status: 'outstanding' },
      rest: 'GROUP BY `table`',
    });
    return new Map(rows.map(({ table, letters }) => [table, Number(letters)]));
  }

  /** How many match. */
  async count(filter: DeadLetterFilter): Promise<number> {
    const [row] = await this.#query<{ letters: string }>({ select: 'count() AS letters', filter, rest: '' });
    return Number(row?.letters ?? 0);
  }

  async #query<T>(query: { select: string; filter: DeadLetterFilter; rest: string }): Promise<T[]> {
    const { database, stream } = this.#pipeline;
    const existing = await this.#clickhouse.tableNames(database);
    const exists = (name: string) => existing.includes(name);
    if (!exists(DEAD_LETTERS_TABLE)) return [];
    const { table, partition, offset, offsets, status } = query.filter;
    const conditions = [
      ...(table !== undefined ? ['`table` = {table:String}'] : []),
      ...(partition === undefined ? [] : ['partition = {partition:Int32}']),
      ...(offset === undefined ? [] : ['offset = {offset:Int64}']),
      ...(offsets ? ['offset BETWEEN {from:Int64} AND {to:Int64}'] : []),
      ...(status ? ['status = {status:String}'] : []),
    ];
    const where = conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : '';
    const letters = deadLettersSql(database, { snapshots: exists(SNAPSHOTS_TABLE) });
    // The names that a SELECT gives must not shadow the columns in its conditions.
    const filtered = `SELECT * FROM (${letters}) ${where}`;
    return await this.#clickhouse.rows<T>(`SELECT ${query.select} FROM (${filtered}) ${query.rest}`, {
      params: {
        ...{ topics: streamLanes(this.#pipeline).map(({ topic }) => topic), slot: stream.slot },
        histories: historyTables(this.#pipeline).map(({ label }) => label),
        ...(table !== undefined && { table }),
        ...(partition !== undefined && { partition }),
        ...(offset !== undefined && { offset: String(offset) }),
        ...(offsets && { from: String(offsets.from), to: String(offsets.to) }),
        ...(status && { status }),
      },
    });
  }
}

interface StoredRow {
  table: string;
  topic: string;
  partition: number;
  offset: string;
  message_ms: string;
  lsn: string | null;
  key: string | null;
  value: string;
  error_code: string;
  error: string;
  first_seen_ms: string;
  replayed_ms: string | null;
  revision: number;
  status: DeadLetterStatus;
}

function storedLetter(row: StoredRow): StoredDeadLetter {
  const { table, topic, partition, revision, status } = row;
  return {
    ...{ table, topic, partition, revision, status },
    offset: BigInt(row.offset),
    timestampMs: Number(row.message_ms),
    lsn: row.lsn === null ? null : BigInt(row.lsn),
    key: row.key === null ? null : Buffer.from(row.key, 'base64'),
    value: Buffer.from(row.value, 'base64'),
    code: row.error_code,
    reason: row.error,
    firstSeenMs: Number(row.first_seen_ms),
    replayedMs: row.replayed_ms === null ? null : Number(row.replayed_ms),
  };
}
