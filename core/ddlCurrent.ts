import { chTable } from './identifiers.ts';
import { landingName, truncationsName, truncationsViewName } from './names.ts';
import { DELETED_COLUMN, type TargetShape, VERSION_COLUMN } from './typeMapping.ts';

/** The version of a message, from what surrounds its row: `lsn << 64 | offset`. */
export function versionExpression(lsn: string, offset: string): string {
  return `bitOr(bitShiftLeft(toUInt128(${lsn}), 64), toUInt128(${offset}))`;
}

/** The LSN of a message, from its source block. */
export const LANDED_LSN = "simpleJSONExtractUInt(source, 'lsn')";

/**
 * Where a stream table was truncated. A TRUNCATE removes what is older than itself, however late that lands, so it is kept
 * as a version and not carried out. Only the highest counts.
 */
export function truncationsDdl({ database, table }: Pick<TargetShape, 'database' | 'table'>): {
  table: string;
  view: string;
} {
  const truncations = chTable({ database, name: truncationsName(table.target) });
  const view = chTable({ database, name: truncationsViewName(table.target) });
  const landing = chTable({ database, name: landingName(table.target) });
  return {
    table:
      `CREATE TABLE IF NOT EXISTS ${truncations} (${VERSION_COLUMN} UInt128) ` +
      `ENGINE = ReplacingMergeTree(${VERSION_COLUMN}) ORDER BY tuple()`,
    view:
      `CREATE MATERIALIZED VIEW IF NOT EXISTS ${view} TO ${truncations} AS ` +
      `SELECT ${versionExpression(LANDED_LSN, '_offset')} AS ${VERSION_COLUMN} FROM ${landing} WHERE op = 't'`,
  };
}

/**
 * The rest of a SELECT, after FROM, that reads a stream table's current rows: neither superseded, deleted nor truncated.
 * @param ofKeys a condition on the key, by which rows are left out before their versions are compared.
 */
export function currentRows(shape: Pick<TargetShape, 'database' | 'table'>, ofKeys?: string): string {
  const target = chTable({ database: shape.database, name: shape.table.target });
  const prewhere = ofKeys === undefined ? '' : `PREWHERE ${ofKeys} `;
  return `${target} FINAL ${prewhere}WHERE ${DELETED_COLUMN} = 0 AND ${VERSION_COLUMN} > ${truncatedAt(shape)}`;
}

/** Expression of the version at or below which rows have been truncated; 0 when none ever was. */
export function truncatedAt({ database, table }: Pick<TargetShape, 'database' | 'table'>): string {
  const truncations = chTable({ database, name: truncationsName(table.target) });
  // Settings of a user's session may make the maximum of nothing NULL, and NULL would hide every row.
  return `ifNull((SELECT max(${VERSION_COLUMN}) FROM ${truncations}), 0)`;
}
