import { LANDED_LSN } from './ddlCurrent.ts';
import {
  convertingSelect,
  missingText,
  NULL_TEXT,
  refusal,
  sentName,
  sourceChecks,
  textName,
  unavailableChecks,
} from './ddlLanding.ts';
import type { HistoryOperation } from './definitionHistory.ts';
import { TidegateError } from './errors.ts';
import { chIdentifier, chLiteral, chTable, formatTableName, pgIdentifier, pgTable } from './identifiers.ts';
import { debeziumName } from './names.ts';
import { columnComment, type WantedColumn } from './targetDiff.ts';
import { columnType, type MappedColumn, type TargetShape, VERSION_COLUMN } from './typeMapping.ts';

/**
 * The target of a history: one row a change. Its columns are those of the source with the row after the change (before
 * it, for a delete), the same again as `before_<column>` with the row before it, and those below. The key is the source's,
 * then when, where in the WAL, and what: a change that arrives again falls onto itself, and its first arrival counts.
 */
const OPERATION = 'op';
/** When the source committed the change, never when anything processed it. */
const COMMITTED = 'ts';
const LSN = 'lsn';
const TRANSACTION = 'transaction_id';
const ARRIVED = 'arrived_at';

const ALL_OPERATIONS: readonly (HistoryOperation | 'r')[] = ['c', 'u', 'd', 't', 'r'];

/** The columns that the target has of the source. A change that was kept before a column was added has none of it. */
export function historyColumns(columns: readonly MappedColumn[]): WantedColumn[] {
  const wanted = ({ column, type }: MappedColumn) => ({
    name: column.name,
    attnum: column.attnum,
    type,
    default: null,
  });
  return [
    ...columns.map(wanted),
    ...beforeColumns(columns).map((mapped) => ({ ...wanted(mapped), before: true as const })),
  ];
}

/** What the target holds of the row before the change; NULL where there was none. */
function beforeColumns(columns: readonly MappedColumn[]): MappedColumn[] {
  return columns.map(({ column, conversion }) => {
    const before = { ...column, name: `before_${column.name}`, notNull: false };
    return { column: before, conversion, type: columnType(before, conversion) };
  });
}

/** What follows the target's name in CREATE TABLE. */
export function historyBody(
  { source }: Pick<TargetShape, 'source'>,
  { columns, keys }: { columns: readonly MappedColumn[]; keys: readonly MappedColumn[] },
): string {
  const rows = [...columns, ...beforeColumns(columns)];
  const taken = rows.find(
    ({ column }, index) =>
      [OPERATION, COMMITTED, LSN, TRANSACTION, ARRIVED].includes(column.name) ||
      rows.findIndex((other) => other.column.name === column.name) !== index,
  );
  if (taken) {
    const what = `the history of ${formatTableName(source)} would have two columns '${taken.column.name}'`;
    throw new TidegateError('UNSUPPORTED_SOURCE', what, {
      remedy: `Rename the column: ALTER TABLE ${pgTable(source)} RENAME COLUMN ${pgIdentifier(taken.column.name)} TO ...`,
    });
  }
  const definitions = historyColumns(columns).map(
    ({ name, type, attnum, before }) =>
      `${chIdentifier(name)} ${type} COMMENT ${chLiteral(columnComment(attnum, before))}`,
  );
  const names = [...keys.map(({ column }) => chIdentifier(column.name)), COMMITTED, LSN, OPERATION];
  const nullable = keys.some(({ column }) => !column.notNull) ? ' SETTINGS allow_nullable_key = 1' : '';
  return (
    `(${definitions.join(', ')}, ${OPERATION} LowCardinality(String), ${COMMITTED} DateTime64(6, 'UTC'), ` +
    `${LSN} UInt64, ${TRANSACTION} UInt64, ${ARRIVED} DateTime64(6, 'UTC'), ${VERSION_COLUMN} UInt64) ` +
    `ENGINE = ReplacingMergeTree(${VERSION_COLUMN}) ORDER BY (${names.join(', ')})${nullable}`
  );
}

/**
 * The SELECT behind the landing table of a history. A truncate is one row with the types' neutral values. Rows that
 * Debezium reads in a snapshot (`r`) are no changes.
 */
export function historyViewSelect(options: {
  columns: readonly MappedColumn[];
  /** Quoted name of the table that the messages land in. */
  landing: string;
  operations: readonly HistoryOperation[];
  era?: TargetShape['era'];
}): string {
  const { columns, landing, operations, era } = options;
  const isSent = ({ column }: MappedColumn) => sentName(column, era) !== undefined;
  const sent = (row: 'before' | 'after', { column }: MappedColumn) =>
    `tupleElement(${row}, ${chLiteral(debeziumName(sentName(column, era)!))})`;
  const after = columns.map((mapped) => {
    if (!isSent(mapped)) return missingText(mapped);
    const neutral = mapped.column.notNull ? chLiteral(mapped.conversion.neutral) : 'NULL';
    return `multiIf(op = 'd', ${sent('before', mapped)}, op = 't', ${neutral}, ${sent('after', mapped)})`;
  });
  const before = columns.map((mapped) => (isSent(mapped) ? sent('before', mapped) : NULL_TEXT));
  const texts = [...after, ...before].map((text, index) => `${text} AS ${textName(index)}`);
  const left = ALL_OPERATIONS.filter((each) => !operations.some((kept) => kept === each));
  const all = [...columns, ...beforeColumns(columns)];
  // Without REPLICA IDENTITY FULL an update has no row before it, and a delete has its key alone.
  const absent = columns.flatMap((mapped, index) => {
    const { column } = mapped;
    if (!column.notNull || !isSent(mapped)) return [];
    const missing = `_tidegate_op IN ('u', 'd') AND isNull(${textName(columns.length + index)})`;
    return [refusal(missing, `column ${column.name}: not sent as it was before, which takes REPLICA IDENTITY FULL`)];
  });
  return convertingSelect({
    columns: all,
    rows:
      `SELECT ${texts.join(', ')}, op AS _tidegate_op, ${LANDED_LSN} AS _tidegate_lsn, ` +
      `simpleJSONExtractUInt(source, 'ts_us') AS _tidegate_committed, ` +
      `simpleJSONExtractUInt(source, 'txId') AS _tidegate_transaction, _partition AS _tidegate_partition ` +
      `FROM ${landing} WHERE op NOT IN (${left.map(chLiteral).join(', ')})`,
    further: [
      `_tidegate_op AS ${OPERATION}`,
      `fromUnixTimestamp64Micro(toInt64(_tidegate_committed), 'UTC') AS ${COMMITTED}`,
      `_tidegate_lsn AS ${LSN}`,
      `_tidegate_transaction AS ${TRANSACTION}`,
      `now64(6, 'UTC') AS ${ARRIVED}`,
      // The highest version counts, and the first arrival is to have it.
      `bitNot(toUInt64(toUnixTimestamp64Micro(${ARRIVED}))) AS ${VERSION_COLUMN}`,
    ],
    checks: [
      ...sourceChecks(),
      refusal('_tidegate_committed = 0', 'source: without a commit time in microseconds'),
      ...absent,
      ...unavailableChecks(all),
    ],
  });
}

/** The rest of a SELECT, after FROM, that reads each change of a history once. */
export function historyRows({ database, table }: Pick<TargetShape, 'database' | 'table'>): string {
  return `${chTable({ database, name: table.target })} FINAL`;
}

/** @throws TidegateError SOURCE_NOT_READY unless PostgreSQL writes the whole row before each change. */
export function requireHistory({ source }: Pick<TargetShape, 'source'>): void {
  if (source.replicaIdentity === 'f') return;
  const what = `${formatTableName(source)} does not write rows as they were before a change, which its history needs`;
  throw new TidegateError('SOURCE_NOT_READY', what, {
    remedy: `Run: ALTER TABLE ${pgTable(source)} REPLICA IDENTITY FULL`,
  });
}

/** What the operations that a table keeps may leave unseen; null for nothing, and for a table without a history. */
export function historyWarning({ history }: Pick<TargetShape['table'], 'history'>): string | null {
  if (!history) return null;
  const { operations } = history;
  const left = (['c', 'd'] as const).filter((each) => !operations.includes(each));
  if (!operations.includes('u') || left.length === 0) return null;
  const names = left.map((each) => `'${each}'`).join(' and ');
  return `an update that changes the key arrives as a delete and an insert: add ${names} to the operations to keep both`;
}
