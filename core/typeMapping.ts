import type { SourceColumn, SourceTable } from './catalog.ts';
import { UNAVAILABLE_VALUE } from './connectorConfig.ts';
import type { PipelineTable } from './definition.ts';
import { TidegateError } from './errors.ts';
import { hashedConversion } from './hashedColumns.ts';
import { chLiteral, formatTableName, pgIdentifier, pgTable } from './identifiers.ts';
import type { EraColumn } from './schemaVersion.ts';
import { arrayConversion, elementOf } from './typeMappingArrays.ts';
import { NUMBER_RULES } from './typeMappingNumbers.ts';
import { type Conversion, type TypeRule, textConversion } from './typeMappingRule.ts';
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

/** What stands for an unchanged large value: ours, and Debezium's own where a connector was configured by hand. */
const PLACEHOLDERS = [
  // In an array of UUIDs stands the name-based UUID of the placeholder.
  { text: UNAVAILABLE_VALUE, uuid: '7bfa299c-c26d-3c9b-9e7c-1b0dbdca2350' },
  { text: '__debezium_unavailable_value', uuid: 'b68a35a7-17ad-35b3-af2a-ae46edb4545a' },
];

/**
 * The columns that are replicated, in the source's order. Debezium does not send generated columns, so a stream leaves
 * them out; a reference load has them.
 * @throws TidegateError UNSUPPORTED_SOURCE naming the column, with the remedy.
 */
export function mappedColumns(shape: Pick<TargetShape, 'table' | 'source'>): MappedColumn[] {
  return replicatedColumns(shape).map((column) => {
    const conversion = conversionOf(column, shape);
    return { column, conversion, type: typeOf(column, conversion) };
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

/** ClickHouse condition: the text is what Debezium sends instead of a value. Null when such a text is refused anyway. */
export function unavailableText({ unavailable }: Conversion, text: string): string | null {
  const bytes = (value: string) => JSON.stringify([...value].map((character) => character.charCodeAt(0)));
  const forms = {
    text: ({ text }) => text,
    'array of text': ({ text }) => JSON.stringify([text]),
    'array of integers': ({ text }) => bytes(text),
    'array of uuid': ({ uuid }) => JSON.stringify([uuid]),
    object: ({ text }) => JSON.stringify({ [text]: text }),
    strict: null,
    null: null,
  } satisfies Record<Conversion['unavailable'], ((placeholder: (typeof PLACEHOLDERS)[number]) => string) | null>;
  const form = forms[unavailable];
  return form && `${text} IN (${PLACEHOLDERS.map((placeholder) => chLiteral(form(placeholder))).join(', ')})`;
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

function typeOf({ notNull }: SourceColumn, { type }: Conversion): string {
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
