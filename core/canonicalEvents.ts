import { clickhouseSide, postgresSide, type WrittenColumn } from './canonical.ts';
import { floatBits } from './conversions.ts';
import type { EventColumn, PipelineEvent } from './definitionEvents.ts';
import type { PipelineOutbox } from './definitionOutbox.ts';
import { isTimeType } from './eventTypes.ts';
import { chIdentifier, chLiteral, chTable, pgIdentifier, pgLiteral, pgTable } from './identifiers.ts';
import { messageSql } from './outboxSql.ts';
import type { Conversion } from './typeMappingRule.ts';

/** Marked rows of an outbox whose ids are above `after`, if there is one, up to `upto`. */
export interface OutboxRange {
  after: string | null;
  upto: string;
}

/** One row of one side. */
export interface WrittenRow {
  /** JSON text of an array with the id, as text. */
  _tidegate_key: string;
  _tidegate_hash: string;
}

/** Names that no column has: in ClickHouse an alias would stand in for a column of its name. */
const KEY: keyof WrittenRow = '_tidegate_key';
const HASH: keyof WrittenRow = '_tidegate_hash';

/** SQL that reads the WrittenRows of one side, see core/canonical.ts. */
export interface EventSides {
  /** The last id of the next range: {upto}; no row behind the last. */
  next(after: string | null, rows: number): string;
  postgres(range: OutboxRange): string;
  /** @param ids the events' ids as text. */
  clickhouse(ids: readonly string[]): string;
}

/**
 * The SQL that compares an outbox with the events that it was sent as.
 * @param idType the type of the outbox's id as PostgreSQL writes it.
 */
export function eventSides(about: {
  database: string;
  event: PipelineEvent;
  outbox: PipelineOutbox;
  idType: string;
}): EventSides {
  const { database, event, outbox, idType } = about;
  const columns = event.columns.map(writtenColumn);
  const key = columns.filter(({ column }) => event.key.includes(column.name));
  const id = pgIdentifier(outbox.id);
  const above = (after: string | null) => (after === null ? '' : ` AND ${id} > ${pgLiteral(after)}::${idType}`);
  const marked = `${pgTable(outbox)} WHERE ${pgIdentifier(outbox.sent)}`;
  const texts = event.columns.map(({ name, from }) => `message->>${pgLiteral(from)} AS ${pgIdentifier(name)}`);
  const view = chTable({ database, name: event.currentView });
  const { name: keyName, type: keyType } = event.columns.find(({ name }) => event.key.includes(name))!;
  return {
    next: (after, rows) =>
      `SELECT id::text AS upto FROM (SELECT ${id} AS id FROM ${marked}${above(after)} ORDER BY ${id} LIMIT ${rows}) AS next ` +
      'ORDER BY id DESC LIMIT 1',
    postgres: ({ after, upto }) => {
      const range = `${marked}${above(after)} AND ${id} <= ${pgLiteral(upto)}::${idType}`;
      const rows = `(SELECT ${texts.join(', ')} FROM (SELECT ${messageSql(outbox)} AS message FROM ${range}) AS sent) AS rows`;
      const { key: text, hash } = postgresSide({ columns, key, rows });
      return `SELECT ${text} AS ${KEY}, (${hash})::text AS ${HASH} FROM ${rows} ORDER BY ${text} COLLATE "C"`;
    },
    clickhouse: (ids) => {
      const wanted = `SELECT CAST(arrayJoin([${ids.map(chLiteral).join(', ')}]), ${chLiteral(keyType)})`;
      const rows = `${view} WHERE ${chIdentifier(keyName)} IN (${wanted})`;
      const { key: text, hash } = clickhouseSide({ columns, key, rows });
      return `SELECT ${text} AS ${KEY}, toString(${hash}) AS ${HASH} FROM ${rows}`;
    },
  };
}

function writtenColumn(column: EventColumn): WrittenColumn {
  return {
    // What is written of it in PostgreSQL is text.
    column: { name: column.name, notNull: !column.optional, typeName: 'text' },
    conversion: { type: column.type, canonical: canonicalOf(column) },
  };
}

/** How a field's text, in PostgreSQL, and a column's value, in ClickHouse, are written down as the same text. */
function canonicalOf({ type, epoch }: EventColumn): Conversion['canonical'] {
  const same = (text: string) => text;
  const printed = (value: string) => `toString(${value})`;
  if (isTimeType(type)) {
    const micros = (value: string) => `toString(toUnixTimestamp64Micro(toDateTime64(${value}, 6, 'UTC')))`;
    return { postgres: (text) => `(${countOf(text, epoch)})::bigint::text`, clickhouse: micros, open: false };
  }
  const scale = /^Decimal\(\d+, ?(\d+)\)$/.exec(type)?.[1];
  if (scale !== undefined) {
    const digits = (value: string) => `toDecimalString(${value}, ${scale})`;
    return { postgres: (text) => `round((${text})::numeric, ${scale})::text`, clickhouse: digits, open: false };
  }
  if (type.startsWith('Float')) {
    const pg = type === 'Float32' ? 'float4' : 'float8';
    return { postgres: (text) => `encode(${pg}send((${text})::${pg}), 'hex')`, clickhouse: floatBits, open: false };
  }
  if (type.includes('String')) return { postgres: same, clickhouse: printed, open: true };
  return { postgres: same, clickhouse: printed, open: false };
}

/** Microseconds since 1970. */
function countOf(text: string, epoch: EventColumn['epoch']): string {
  if (epoch === 'seconds') return `(${text})::numeric * 1000000`;
  if (epoch === 'milliseconds') return `(${text})::numeric * 1000`;
  return `extract(epoch FROM (${text})::timestamptz) * 1000000`;
}
