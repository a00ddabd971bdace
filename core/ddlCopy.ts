import type { SourceTable } from './catalog.ts';
import { inPages, type PageRange } from './ctidRanges.ts';
import { CONVERSION_SETTINGS } from './ddl.ts';
import { copyViewSelect } from './ddlLanding.ts';
import { chTable, pgTable } from './identifiers.ts';
import { copyLandingName, copyViewName } from './names.ts';
import { copyExpression, type MappedColumn, mappedColumns, type TargetShape } from './typeMapping.ts';

/** Settings of an INSERT of what COPY writes (FORMAT TSV). */
export const COPY_SETTINGS: Readonly<Record<string, number>> = {
  ...CONVERSION_SETTINGS,
  // A first row whose values are the columns' names would be taken for a header, and be lost.
  input_format_tsv_detect_header: 0,
  input_format_tsv_empty_as_default: 0,
  input_format_null_as_default: 0,
};

export interface CopyPath {
  /** Quoted name of the table to insert TSV into. */
  landing: string;
  /** Its columns, in the order of copySelect's. */
  columns: string[];
  /** Statements that replace whatever an earlier attempt left. */
  create: string[];
  drop: string[];
}

/**
 * The way of COPY's rows into a table: a Null-engine table, and a view that converts strictly what that takes as text.
 * Insert with COPY_SETTINGS.
 * @param options.into name of the table to write: the target, or a staging table.
 * @param options.version what the rows of a stream table carry as their version; null for a reference table.
 */
export function copyPath(shape: TargetShape, { into, version }: { into: string; version: bigint | null }): CopyPath {
  const { database, table, source } = shape;
  const landing = chTable({ database, name: copyLandingName(table.target) });
  const view = chTable({ database, name: copyViewName(table.target) });
  const columns = source.columns.map((_, index) => `c${index + 1}`);
  const mapped = mappedColumns(shape);
  const types = source.columns.map((column) => {
    const found = mapped.find((each) => each.column === column);
    return found && isCopiedTyped(found, source) ? found.type : 'Nullable(String)';
  });
  const select = copyViewSelect({
    columns: mapped.map((each) => asCopied(each, source)),
    landing,
    textOf: ({ column }) => columns[source.columns.indexOf(column)]!,
    version,
  });
  const drop = [`DROP VIEW IF EXISTS ${view} SYNC`, `DROP TABLE IF EXISTS ${landing} SYNC`];
  return {
    landing,
    columns,
    create: [
      ...drop,
      `CREATE TABLE ${landing} (${columns.map((name, index) => `${name} ${types[index]}`).join(', ')}) ENGINE = Null`,
      `CREATE MATERIALIZED VIEW ${view} TO ${chTable({ database, name: into })} AS ${select}`,
    ],
    drop,
  };
}

/**
 * Whether COPY's text needs no conversion but what ClickHouse does when it reads it; also where the text is the value. Only
 * a table can be locked, so that its types cannot change meanwhile.
 */
function isCopiedTyped({ conversion }: MappedColumn, { kind }: SourceTable): boolean {
  const isText = conversion.parse === null && conversion.differs === null && conversion.type === 'String';
  return (isText || conversion.copied === 'typed') && (kind === 'r' || kind === 'p');
}

/** The column with the conversion that COPY's text still needs. */
function asCopied(mapped: MappedColumn, source: SourceTable): MappedColumn {
  const { conversion } = mapped;
  if (isCopiedTyped(mapped, source)) return { ...mapped, conversion: { ...conversion, parse: null, differs: null } };
  return typeof conversion.copied === 'function'
    ? { ...mapped, conversion: { ...conversion, differs: conversion.copied } }
    : mapped;
}

/**
 * The SELECT inside `COPY (...) TO STDOUT`, of all columns in their order. Sessions of adapters/postgres.ts give the
 * texts that the conversions expect.
 * @param range pages of the heap; without it, the whole table is read.
 */
export function copySelect(source: SourceTable, range?: PageRange): string {
  const columns = source.columns.map(copyExpression).join(', ');
  const all = `SELECT ${columns} FROM ${sourceRows(source)}`;
  return range ? `${all} WHERE ${inPages(range)}` : all;
}

/** A table that others inherit from has their rows too, which are not its own; a partitioned table has only those. */
export function sourceRows(source: SourceTable): string {
  return source.kind === 'r' ? `ONLY ${pgTable(source)}` : pgTable(source);
}
