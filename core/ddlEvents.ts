import { CONVERSION_SETTINGS } from './ddl.ts';
import { convertingSelect, refusal, textName } from './ddlLanding.ts';
import type { EventColumn, PipelineEvent } from './definitionEvents.ts';
import { eventConversion } from './eventTypes.ts';
import { chIdentifier, chLiteral, chTable } from './identifiers.ts';
import { landingName, landingViewName } from './names.ts';
import { nullable, VERSION_COLUMN } from './typeMapping.ts';

/** Columns of an event topic's target besides the declared ones: fields without a column, and where the event came from. */
export const EXTRA_COLUMN = '_extra';

/**
 * Settings of an INSERT of events into their landing table (FORMAT JSONEachRow): every field of the message is read as its
 * text, whatever there is of them, and nothing may stand beside the message.
 */
export const EVENT_SETTINGS: Readonly<Record<string, number>> = {
  ...CONVERSION_SETTINGS,
  input_format_skip_unknown_fields: 0,
  input_format_json_read_objects_as_strings: 1,
  input_format_json_read_arrays_as_strings: 1,
  input_format_json_read_numbers_as_strings: 1,
  input_format_json_read_bools_as_strings: 1,
};

/** A column of the target as ClickHouse knows it. */
export interface TargetColumn {
  name: string;
  type: string;
}

/** The declared columns with their ClickHouse types. */
export function eventColumns({ columns }: Pick<PipelineEvent, 'columns'>): TargetColumn[] {
  return columns.map((column) => ({ name: column.name, type: mapped(column).type }));
}

/** The statements that create an event topic's objects, and the SELECT of its landing view. */
export function eventDdl({ database, event }: { database: string; event: PipelineEvent }): {
  target: string;
  landing: string;
  view: string;
  select: string;
  /** Creates or replaces the view with each event once. */
  current: string;
} {
  const quoted = (name: string) => chTable({ database, name });
  const select = landingSelect(event, quoted(landingName(event.target)));
  return {
    target: targetStatement(event, quoted(event.target)),
    landing:
      `CREATE TABLE IF NOT EXISTS ${quoted(landingName(event.target))} (message Map(String, Nullable(String)), ` +
      '_partition Int32 DEFAULT -1, _offset Int64) ENGINE = Null',
    view: `CREATE MATERIALIZED VIEW IF NOT EXISTS ${quoted(landingViewName(event.target))} TO ${quoted(event.target)}`,
    select,
    current: `CREATE OR REPLACE VIEW ${quoted(event.currentView)} AS ${currentSelect(event, quoted(event.target))}`,
  };
}

/** Each event once, declared columns only. A repeat may have landed in another partition of the target. */
function currentSelect({ columns }: PipelineEvent, target: string): string {
  const names = columns.map(({ name }) => chIdentifier(name)).join(', ');
  return `SELECT ${names} FROM ${target} FINAL SETTINGS do_not_merge_across_partitions_select_final = 0`;
}

function targetStatement(event: PipelineEvent, target: string): string {
  const columns = eventColumns(event).map(({ name, type }) => `${chIdentifier(name)} ${type}`);
  columns.push(`${EXTRA_COLUMN} Map(String, Nullable(String))`, '_partition Int32', '_offset Int64');
  columns.push(`${VERSION_COLUMN} UInt128`);
  const { partitionBy } = event;
  const period = partitionBy?.unit === 'day' ? 'toYYYYMMDD' : 'toYYYYMM';
  const partition = partitionBy ? ` PARTITION BY ${period}(${chIdentifier(partitionBy.column)})` : '';
  return (
    `CREATE TABLE IF NOT EXISTS ${target} (${columns.join(', ')}) ENGINE = ReplacingMergeTree(${VERSION_COLUMN})` +
    `${partition} ORDER BY (${event.key.map(chIdentifier).join(', ')})`
  );
}

/**
 * One row of the target a message. Of messages with the same key the one with the lowest offset is kept (of equal ones,
 * that of the lowest partition), in whatever order they land; so a repeat changes nothing.
 */
function landingSelect({ columns }: PipelineEvent, landing: string): string {
  const texts = columns.map(({ from }, index) => `message[${chLiteral(from)}] AS ${textName(index)}`);
  const known = [...new Set(columns.map(({ from }) => chLiteral(from)))].join(', ');
  return convertingSelect({
    columns: columns.map(mapped),
    rows:
      `SELECT ${texts.join(', ')}, mapFilter((field, value) -> field NOT IN (${known}), message) AS _tidegate_extra, ` +
      'length(mapKeys(message)) > length(arrayDistinct(mapKeys(message))) AS _tidegate_repeated, ' +
      `_partition AS _tidegate_partition, _offset AS _tidegate_offset FROM ${landing}`,
    further: [
      `_tidegate_extra AS ${EXTRA_COLUMN}`,
      '_tidegate_partition AS _partition',
      '_tidegate_offset AS _offset',
      'bitNot(bitOr(bitShiftLeft(toUInt128(_tidegate_offset), 32), toUInt128(_tidegate_partition))) ' +
        `AS ${VERSION_COLUMN}`,
    ],
    checks: [refusal('_tidegate_repeated', 'a message that has a field twice')],
    absent: 'no value',
  });
}

function mapped({ name, type: written, epoch, optional }: EventColumn) {
  const conversion = eventConversion(written, epoch);
  const column = { name, notNull: !optional };
  return { column, conversion, type: optional ? nullable(conversion.type) : conversion.type };
}
