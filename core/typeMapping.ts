import type { SourceColumn, SourceTable } from './catalog.ts';
import { UNAVAILABLE_BYTES, UNAVAILABLE_UUID, UNAVAILABLE_VALUE } from './connectorConfig.ts';
import type { PipelineTable } from './definition.ts';
import { TidegateError } from './errors.ts';
import { hashedConversion } from './hashedColumns.ts';
import { chLiteral, formatTableName, pgIdentifier, pgTable } from './identifiers.ts';
import type { EraColumn } from './schemaVersion.ts';
import { ARRAY_LIMITS, arrayConversion, elementOf } from './typeMappingArrays.ts';
import { NUMBER_RULES } from './typeMappingNumbers.ts';
import { type Conversion, type TypeLimit, type TypeRule, textConversion } from './typeMappingRule.ts';
import { TEXT_RULES } from './typeMappingTexts.ts';
import { TIME_RULES } from './typeMappingTimes.ts';

/** A table of a pipeline together with what the source's catalog says about it. */
export interface TargetShape {
  /** ClickHouse database of the target. */
  database: string;
  table: PipelineTable;
  source: SourceTable;
  /** What the messages of a stream hold, where that differs from the source's columns. */
  era?: readonly EraColumn[];
  /** By attnum: the text that stands for a column which a message lacks; NULL where none is given. */
  missing?: Readonly<Record<number, string>>;
}

/** A column that is replicated, and how. */
export interface MappedColumn {
  column: SourceColumn;
  conversion: Conversion;
  /** The ClickHouse type, with Nullable where the source allows NULL. */
  type: string;
}

/** The table of types, for conversions and for the documentation. The first rule that covers a column counts. */
export const TYPE_RULES: readonly TypeRule[] = [...NUMBER_RULES, ...TIME_RULES, ...TEXT_RULES];

/** Columns that the target has besides the source's. */
export const VERSION_COLUMN = '_version';
export const DELETED_COLUMN = '_deleted';

/**
 * Where a stream table's row came from: partition and offset of its message. The row that is current has those of the
 * message that made it so, by which marts find what has changed. PARTITION_COLUMN has other values for rows of no message.
 */
export const PARTITION_COLUMN = '_tidegate_partition';
export const OFFSET_COLUMN = '_tidegate_offset';
/** PARTITION_COLUMN of a row that was written by a repair, and of one that was copied. */
export const NO_MESSAGE = { repaired: -1, copied: -2 } as const;

/**
 * The columns that are replicated, in the source's order. Debezium does not send generated columns, so a stream leaves
 * them out; a reference load has them.
 * @throws TidegateError UNSUPPORTED_SOURCE naming the column, with the remedy.
 */
export function mappedColumns(shape: Pick<TargetShape, 'table' | 'source'>): MappedColumn[] {
  return replicatedColumns(shape).map((column) => {
    const conversion = settled(column, conversionOf(column, shape));
    return { column, conversion, type: columnType(column, conversion) };
  });
}

/** The columns by which changes find their row, in key order; none when the table has no key. */
export function keyColumns(
  columns: readonly MappedColumn[],
  shape: Pick<TargetShape, 'table' | 'source'>,
): MappedColumn[] {
  if (isWholeRowKey(shape)) return [...columns];
  return keyNames(shape).flatMap((name) => columns.filter(({ column }) => column.name === name));
}

/**
 * Names of the key's columns: what PostgreSQL writes with every delete. An index that is the replica identity stands
 * before the primary key, whose columns a delete then lacks.
 */
export function keyNames({ table, source }: Pick<TargetShape, 'table' | 'source'>): readonly string[] {
  return table.load === 'stream' && source.replicaIdentity === 'i' ? source.identityIndex : source.primaryKey;
}

/** Whether the whole row is the key, so that equal rows are one. */
export function isWholeRowKey({ table, source }: Pick<TargetShape, 'table' | 'source'>): boolean {
  return table.duplicates === 'collapse' && source.replicaIdentity === 'f' && source.primaryKey.length === 0;
}

/** The PostgreSQL expression that COPY selects for a column, in the form that its conversion takes. */
export function copyExpression(column: SourceColumn): string {
  const name = pgIdentifier(column.name);
  const conversion = conversionFor(column);
  return conversion ? (conversion.copy?.(name) ?? name) : `${name}::text`;
}

/** As copyExpression, as a text: what COPY writes, before it escapes that. A cast would lose the blanks of char(n). */
export function copyText(column: SourceColumn): string {
  const expression = copyExpression(column);
  return `CASE WHEN ${expression} IS NOT NULL THEN concat(${expression}) END`;
}

/** ClickHouse condition: the text is what Debezium sends instead of a value. Null when such a text is refused anyway. */
export function unavailableText({ unavailable }: Conversion, text: string): string | null {
  const forms = {
    text: UNAVAILABLE_VALUE,
    'array of text': JSON.stringify([UNAVAILABLE_VALUE]),
    'array of integers': JSON.stringify(UNAVAILABLE_BYTES),
    'array of uuid': JSON.stringify([UNAVAILABLE_UUID]),
    object: JSON.stringify({ [UNAVAILABLE_VALUE]: UNAVAILABLE_VALUE }),
    strict: null,
    null: null,
  } satisfies Record<Conversion['unavailable'], string | null>;
  const form = forms[unavailable];
  return form && `${text} = ${chLiteral(form)}`;
}

function replicatedColumns({ table, source }: Pick<TargetShape, 'table' | 'source'>): SourceColumn[] {
  const kept = source.columns.filter((column) => table.load === 'reference' || !column.generated);
  const taken = kept.find(
    ({ name }) => [VERSION_COLUMN, DELETED_COLUMN].includes(name) || name.startsWith('_tidegate_'),
  );
  if (taken) {
    throw new TidegateError(
      'UNSUPPORTED_SOURCE',
      `${nameOf(source, taken)} has a name that Tidegate needs for itself`,
      {
        remedy: `Rename the column: ALTER TABLE ${pgTable(source)} RENAME COLUMN ${pgIdentifier(taken.name)} TO ...`,
      },
    );
  }
  return kept;
}

/** The ClickHouse type of a column, with Nullable where it may be NULL. */
export function columnType({ notNull }: Pick<SourceColumn, 'notNull'>, { type }: Conversion): string {
  return notNull ? type : nullable(type);
}

/** The ClickHouse type that has NULL besides. */
export function nullable(type: string): string {
  const inside = /^LowCardinality\((.+)\)$/.exec(type)?.[1];
  return inside ? `LowCardinality(Nullable(${inside}))` : `Nullable(${type})`;
}

/** The first rule that covers a column; null when none does, as for arrays, which follow their elements' rules. */
export function ruleFor(column: SourceColumn): TypeRule | null {
  const covering = TYPE_RULES.find(
    ({ names, covers }) => (names.length === 0 || names.includes(column.typeName)) && (covers?.(column) ?? true),
  );
  return covering ?? null;
}

/** The conversion of a column by the table of types; null when no rule covers it. */
export function conversionFor(column: SourceColumn): Conversion | null {
  if (column.hashed) return hashedConversion();
  // Debezium sends these as NULLs; a load takes their text.
  if (column.dimensions > 1) return null;
  const element = elementOf(column);
  if (element) {
    const conversion = conversionFor(element);
    return conversion?.element && conversion.streamed ? arrayConversion(conversion, conversion.element) : null;
  }
  return ruleFor(column)?.convert(column) ?? null;
}

/** What is refused or changed of a column's values, by the table of types. */
export function typeLimits(column: SourceColumn): readonly TypeLimit[] {
  const element = elementOf(column);
  if (!element) return ruleFor(column)?.limits ?? [];
  return [...ARRAY_LIMITS, ...(ruleFor(element)?.limits ?? []).map(forElements)];
}

/** A CHECK of a value says nothing of the elements of an array. */
function forElements({ remedy: _, checks: __, ...limit }: TypeLimit): TypeLimit {
  return { ...limit, lost: `as an element, ${limit.lost}`, remedy: 'keep it out, or declare the column text[]' };
}

/** Whether a CHECK of the column keeps such values out. */
export function isRuledOut({ checks }: TypeLimit, column: SourceColumn): boolean {
  return checks?.every((check) => column.checks?.includes(check)) ?? false;
}

/** Nothing is doubtful where the column cannot hold what else a text may stand for. */
function settled(column: SourceColumn, conversion: Conversion): Conversion {
  const doubts = typeLimits(column).filter(({ unlessReread }) => unlessReread);
  return doubts.every((limit) => isRuledOut(limit, column)) ? { ...conversion, doubtful: null } : conversion;
}

/** COPY carries every type as text; what Debezium does to a value decides whether a stream can be exact. */
function conversionOf(column: SourceColumn, { table, source }: Pick<TargetShape, 'table' | 'source'>): Conversion {
  const conversion = conversionFor(column);
  if (table.load === 'reference') return conversion ?? textConversion();
  if (!conversion?.streamed) {
    const dimensions = column.dimensions > 1 ? ` of ${column.dimensions} dimensions` : '';
    const what = `${nameOf(source, column)} is of type ${column.type}${dimensions}, which Debezium does not carry exactly`;
    throw new TidegateError('UNSUPPORTED_SOURCE', what, {
      remedy: `Load the table with load: 'reference', or give the column a type of the table of types, such as text.`,
    });
  }
  if (conversion.unavailable === 'null' && !column.notNull && source.replicaIdentity !== 'f') {
    const what = `${nameOf(source, column)} is of type ${column.type}: Debezium sends NULL for a large one that an update does not touch`;
    throw new TidegateError('UNSUPPORTED_SOURCE', what, {
      remedy: `Make it carried always: ALTER TABLE ${pgTable(source)} REPLICA IDENTITY FULL`,
    });
  }
  return conversion;
}

function nameOf(source: SourceTable, { name }: SourceColumn): string {
  return `column ${pgIdentifier(name)} of ${formatTableName(source)}`;
}
