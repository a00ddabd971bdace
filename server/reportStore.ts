import type { ClickHouse } from '../adapters/clickhouse.ts';
import { dayAfter, daysBetween } from '../core/days.ts';
import { chIdentifier, chTable } from '../core/identifiers.ts';
import { daysSql, type MartDay } from '../core/marts.ts';
import type { ReportKind } from '../pipelines/report.ts';
import type { Place } from './cursor.ts';
import type { FoundReport } from './findReport.ts';
import { freshly } from './freshly.ts';

/** Days of UTC, the last one included. */
export interface Period {
  from: string;
  to: string;
}

export type ReportRow = Record<string, unknown>;

/** No answer of ClickHouse is waited for longer. */
const TIMEOUT_MS = 60_000;

/** Reads a report. Every row that it gives is of the user it is asked for: no other query is made of the mart. */
export class ReportStore {
  readonly #clickhouse: ClickHouse;
  readonly #found: FoundReport;
  readonly #days: (period: string) => Promise<MartDay[]>;

  constructor(clickhouse: ClickHouse, found: FoundReport) {
    this.#clickhouse = clickhouse;
    this.#found = found;
    const { sql, params } = daysSql(found.pipeline, found.mart);
    this.#days = freshly((period) => {
      const { from, to }: Period = JSON.parse(period);
      return this.#rows<MartDay>(sql, { ...params, from, to: dayAfter(to) });
    });
  }

  /** The days of a period whose input has not all landed and been merged, in order. */
  async unprocessedDays({ from, to }: Period): Promise<string[]> {
    const days = await this.#days(JSON.stringify({ from, to }));
    const processed = new Set(days.filter(({ merged, dirty }) => merged && !dirty).map(({ day }) => day));
    return daysBetween({ from, to }).filter((day) => !processed.has(day));
  }

  /** Rows of a user by day and item, beginning behind a place; `next` is where more of them begin. */
  async page(options: {
    user: string;
    period: Period;
    after: Place | undefined;
    limit: number;
  }): Promise<{ rows: ReportRow[]; next: Place | undefined }> {
    const { user, period, after, limit } = options;
    const { pipeline, mart, report } = this.#found;
    const [day, item] = [mart.period, report.item.column];
    const place = `${chIdentifier(day)}, ${chIdentifier(item)}`;
    const sql = `SELECT ${Object.keys(report.columns).map(chIdentifier).join(', ')}
      FROM ${chTable({ database: pipeline.database, name: mart.name })}
      WHERE ${chIdentifier(report.user.column)} = {user:Int64} AND ${chIdentifier(day)} BETWEEN {from:Date} AND {to:Date}
        ${after ? `AND (${place}) > ({day:Date}, {item:Int64})` : ''}
      ORDER BY ${place} LIMIT {limit:UInt32}`;
    const found = await this.#rows<ReportRow>(sql, { user, ...period, ...after, limit: limit + 1 });
    const rows = found.slice(0, limit).map((row) => this.#read(row));
    const last = found.length > limit ? rows.at(-1) : undefined;
    return { rows, next: last && { day: String(last[day]), item: String(last[item]) } };
  }

  /** @throws TidegateError SERVICE_UNREACHABLE and the like while ClickHouse does not answer. */
  async ping(): Promise<void> {
    await this.#rows('SELECT 1', {});
  }

  #read(row: ReportRow): ReportRow {
    const { columns } = this.#found.report;
    return Object.fromEntries(Object.entries(columns).map(([name, { kind }]) => [name, jsonValue(kind, row[name])]));
  }

  #rows<T>(sql: string, params: Record<string, unknown>): Promise<T[]> {
    return this.#clickhouse.rows<T>(sql, { params, signal: AbortSignal.timeout(TIMEOUT_MS) });
  }
}

/** ClickHouse writes 64-bit integers as strings, and times without their zone. */
function jsonValue(kind: ReportKind, value: unknown): unknown {
  if (value === null) return null;
  if (kind === 'whole') return whole(value);
  if (kind === 'number') return Number(value);
  if (kind === 'time') return `${String(value).replace(' ', 'T')}Z`;
  if (kind !== 'counts') return String(value);
  return Object.fromEntries(Object.entries(value as object).map(([name, count]) => [name, whole(count)]));
}

function whole(value: unknown): number {
  const number = Number(value);
  if (Number.isSafeInteger(number)) return number;
  throw new Error(`${value} is too large for JSON's numbers`);
}
