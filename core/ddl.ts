import { requireCapturable } from './captureNames.ts';
import type { SourceColumn } from './catalog.ts';
import { currentRows, truncationsDdl } from './ddlCurrent.ts';
import { historyBody, historyColumns, historyViewSelect, requireHistory } from './ddlHistory.ts';
import { landingTuple, landingViewSelect } from './ddlLanding.ts';
import { TidegateError } from './errors.ts';
import { chIdentifier, chLiteral, chTable, formatTableName, pgIdentifier, pgTable } from './identifiers.ts';
import { landingName, landingViewName, truncationsName, truncationsViewName } from './names.ts';
import { columnComment, type WantedColumn } from './targetDiff.ts';
import {
  DELETED_COLUMN,
  isWholeRowKey,
  keyColumns,
  keyNames,
  type MappedColumn,
  mappedColumns,
  NO_MESSAGE,
  OFFSET_COLUMN,
  PARTITION_COLUMN,
  type TargetShape,
  VERSION_COLUMN,
} from './typeMapping.ts';

export type { TargetShape } from './typeMapping.ts';

/** What every conversion relies on, however the bytes arrive. */
export const CONVERSION_SETTINGS = {
  async_insert: 0,
  insert_deduplicate: 0,
  materialized_views_ignore_errors: 0,
  precise_float_parsing: 1,
  output_format_json_escape_forward_slashes: 0,
} as const;

/**
 * Settings of an INSERT of Debezium's messages into a landing table (FORMAT JSONEachRow). Every scalar is read as its
 * text; an unknown or missing column raises, what surrounds the row is skipped.
 */
export const LANDING_SETTINGS: Readonly<Record<string, number>> = {
  ...CONVERSION_SETTINGS,
  input_format_skip_unknown_fields: 1,
  input_format_json_ignore_unknown_keys_in_named_tuple: 0,
  input_format_json_defaults_for_missing_elements_in_named_tuple: 0,
  input_format_null_as_default: 1,
  input_format_json_read_objects_as_strings: 1,
  input_format_json_read_arrays_as_strings: 1,
  input_format_json_read_numbers_as_strings: 1,
  input_format_json_read_bools_as_strings: 1,
};

/**
 * The statements that create a stream table's objects, in the order of streamObjects. Each says IF NOT EXISTS.
 * @throws TidegateError SOURCE_NOT_READY or UNSUPPORTED_SOURCE with what mends the source.
 */
export function streamDdl(shape: TargetShape): string[] {
  const { database, table } = shape;
  requireStreamable(shape);
  const columns = mappedColumns(shape);
  const quoted = (name: string) => chTable({ database, name });
  const target = quoted(table.target);
  const landing = quoted(landingName(table.target));
  const tuple = landingTuple((shape.era ?? columns.map(({ column }) => column)).map(({ name }) => name));
  const keys = keyColumns(columns, shape);
  const createLanding =
    `CREATE TABLE IF NOT EXISTS ${landing} (op String, before ${tuple}, after ${tuple}, source String, ` +
    '_partition Int32 DEFAULT -1, _offset Int64, _reread UInt8 DEFAULT 0) ENGINE = Null';
  const createView = `CREATE MATERIALIZED VIEW IF NOT EXISTS ${quoted(landingViewName(table.target))} TO ${target} AS `;
  if (table.history) {
    return [
      `CREATE TABLE IF NOT EXISTS ${target} ${historyBody(shape, { columns, keys })}`,
      createLanding,
      createView + historyViewSelect({ ...shape, columns, landing, operations: table.history.operations }),
    ];
  }
  const truncations = truncationsDdl(shape);
  return [
    `CREATE TABLE IF NOT EXISTS ${target} ${targetBody(shape, columns)}`,
    createLanding,
    truncations.table,
    truncations.view,
    createView +
      landingViewSelect({
        ...{ ...shape, columns, landing, keys, keyMoves: keyMoves(shape), isWholeRowKey: isWholeRowKey(shape) },
      }),
    currentViewDdl(shape, 'CREATE VIEW IF NOT EXISTS'),
  ];
}

/** The names of what streamDdl creates, in its order. */
export function streamObjects({ target, currentView, history }: TargetShape['table']): string[] {
  if (history) return [target, landingName(target), landingViewName(target)];
  return [
    ...[target, landingName(target), truncationsName(target), truncationsViewName(target), landingViewName(target)],
    currentView ?? `${target}_current`,
  ];
}

/** The statement that creates, or replaces, the view with a stream table's current rows. */
export function currentViewDdl(
  shape: TargetShape,
  create: 'CREATE VIEW IF NOT EXISTS' | 'CREATE OR REPLACE VIEW',
): string {
  const { database, table } = shape;
  const names = mappedColumns(shape).map(({ column }) => chIdentifier(column.name));
  const view = chTable({ database, name: table.currentView ?? `${table.target}_current` });
  return `${create} ${view} AS SELECT ${names.join(', ')} FROM ${currentRows(shape)}`;
}

/** Debezium takes a changed primary key apart into a delete and an insert; every other key moves within an update. */
function keyMoves({ table, source }: TargetShape): boolean {
  return keyNames({ table, source }) !== source.primaryKey || source.primaryKey.length === 0;
}

/** The columns that a stream table's target is to have, beside its own. */
export function wantedColumns(shape: TargetShape): WantedColumn[] {
  const columns = mappedColumns(shape);
  if (shape.table.history) return historyColumns(columns);
  return columns.map(({ column, conversion, type }) => {
    const text = shape.missing?.[column.attnum];
    const value = text === undefined ? null : (conversion.parse?.(chLiteral(text)) ?? chLiteral(text));
    return { name: column.name, attnum: column.attnum, type, default: value };
  });
}

/**
 * The statement that creates a reference table's target; it says IF NOT EXISTS.
 * @throws TidegateError UNSUPPORTED_SOURCE.
 */
export function referenceDdl(shape: TargetShape): string[] {
  const target = chTable({ database: shape.database, name: shape.table.target });
  return [`CREATE TABLE IF NOT EXISTS ${target} ${targetBody(shape, mappedColumns(shape))}`];
}

/** Creates, empty, a table like the target under another name; one that an earlier attempt left is replaced. */
export function stagingDdl(shape: TargetShape, name: string): string {
  const staging = chTable({ database: shape.database, name });
  return `CREATE OR REPLACE TABLE ${staging} ${targetBody(shape, mappedColumns(shape))}`;
}

function targetBody(shape: TargetShape, columns: readonly MappedColumn[]): string {
  const commented = ({ attnum }: SourceColumn) =>
    shape.table.load === 'stream' ? ` COMMENT ${chLiteral(columnComment(attnum))}` : '';
  const definitions = columns.map(({ column, type }) => `${chIdentifier(column.name)} ${type}${commented(column)}`);
  const keys = keyColumns(columns, shape);
  const nullable = keys.some(({ column }) => !column.notNull) ? ' SETTINGS allow_nullable_key = 1' : '';
  const orderBy = `ORDER BY (${keys.map(({ column }) => chIdentifier(column.name)).join(', ')})${nullable}`;
  if (shape.table.load === 'reference') return `(${definitions.join(', ')}) ENGINE = MergeTree ${orderBy}`;
  definitions.push(`${VERSION_COLUMN} UInt128`, `${DELETED_COLUMN} UInt8`);
  definitions.push(`${PARTITION_COLUMN} Int32 DEFAULT ${NO_MESSAGE.repaired}`, `${OFFSET_COLUMN} Int64`);
  return `(${definitions.join(', ')}) ENGINE = ReplacingMergeTree(${VERSION_COLUMN}, ${DELETED_COLUMN}) ${orderBy}`;
}

/**
 * @throws TidegateError SOURCE_NOT_READY with what mends it, unless each change of the table says which row it is of.
 */
export function requireStreamable(shape: Pick<TargetShape, 'table' | 'source'>): void {
  const { source } = shape;
  const { primaryKey, columns, replicaIdentity } = source;
  const notReady = (what: string, remedy: string) =>
    new TidegateError('SOURCE_NOT_READY', `${formatTableName(source)} ${what}`, { remedy });
  const alter = `ALTER TABLE ${pgTable(source)}`;
  if (!['r', 'p'].includes(source.kind)) {
    throw notReady('is not a table, so it has no changes to stream', "Load it with load: 'reference'.");
  }
  if (source.unlogged) {
    throw notReady(
      'is unlogged, so no WAL tells of its changes',
      `Run: ${alter} SET LOGGED, or load it with load: 'reference'.`,
    );
  }
  requireCapturable(source);
  const hashed = columns.find((column) => column.hashed);
  if (hashed && replicaIdentity !== 'f') {
    // Debezium hashes the placeholder of a large value that an update leaves alone, and reads it back as it is.
    const what = `has the hashed column ${pgIdentifier(hashed.name)}, whose large values PostgreSQL does not send with every update`;
    throw notReady(what, `Run: ${alter} REPLICA IDENTITY FULL`);
  }
  if (replicaIdentity === 'n') {
    throw notReady('does not write its key with deletes', `Run: ${alter} REPLICA IDENTITY DEFAULT`);
  }
  const key = keyNames(shape);
  if (key.length === 0 && !isWholeRowKey(shape)) {
    if (primaryKey.length > 0) {
      throw notReady('has lost the index of its replica identity', `Run: ${alter} REPLICA IDENTITY DEFAULT`);
    }
    const add = `${alter} ADD PRIMARY KEY (<columns>), or ${alter} ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY`;
    const declare = `declare duplicates: 'collapse' for the table, which makes rows that are equal in all columns one`;
    const full = replicaIdentity === 'f' ? declare : `run ${alter} REPLICA IDENTITY FULL and ${declare}`;
    throw notReady('has no primary key, by which changes find their row', `Add one: ${add}; or ${full}.`);
  }
  if (source.deferrableKey !== null && key === primaryKey) {
    const constraint = pgIdentifier(source.deferrableKey);
    const names = primaryKey.map(pgIdentifier).join(', ');
    throw notReady(
      'has a DEFERRABLE primary key, so rows may exchange their keys, and their changes then have no safe order',
      `No foreign key refers to such a key, so run: ${alter} DROP CONSTRAINT ${constraint}, ADD CONSTRAINT ${constraint} PRIMARY KEY (${names})`,
    );
  }
  if (columns.some(({ name, generated }) => generated && key.includes(name))) {
    throw notReady('has a generated column in its key, which Debezium does not send', 'Use a plain column.');
  }
  if (shape.table.history) requireHistory(shape);
}
