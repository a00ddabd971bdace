import type { SourceColumn, SourceTable } from './catalog.ts';
import type { PipelineTable } from './definition.ts';
import { formatTableName, pgIdentifier, pgTable } from './identifiers.ts';
import { isRereadable } from './reread.ts';
import { conversionFor, isRuledOut, keyNames, typeLimits } from './typeMapping.ts';
import type { TypeLimit } from './typeMappingRule.ts';

/** A column of which not every value, or no value, reaches the target as it is. */
export interface ColumnWarning {
  column: string;
  /** What is refused, changed or left out, and what a person can do about it; one line. */
  detail: string;
}

/** What `plan` warns of, a line a column at most, in the source's order. Columns that are refused need no warning. */
export function columnWarnings(table: PipelineTable, source: SourceTable): ColumnWarning[] {
  return source.columns.flatMap((column) => {
    const limits = limitsOf(column, { table, source });
    const sentences = limits.map(({ lost, remedy }) => `${lost}; ${remedy.replaceAll('<column>', quoted(column))}`);
    if (sentences.length === 0) return [];
    return [{ column: column.name, detail: `${column.type}: ${sentences.join('. ')}` }];
  });
}

/** How a warning names its column: `column "v" of sales.orders`. */
export function columnObject(source: SourceTable, column: string): string {
  return `column ${pgIdentifier(column)} of ${formatTableName(source)}`;
}

function limitsOf(
  column: SourceColumn,
  { table, source }: { table: PipelineTable; source: SourceTable },
): readonly TypeLimit[] {
  const stream = table.load === 'stream';
  if (stream && column.generated) return [generatedLimit(column, source)];
  const conversion = conversionFor(column);
  // A load takes what has no rule as text, and a stream refuses it.
  if (!conversion) return [];
  const limits = [...typeLimits(column)];
  if (conversion.unavailable === 'null' && stream && column.notNull && source.replicaIdentity !== 'f') {
    limits.push({
      lost: 'an update is refused that leaves a large value as it is, which Debezium sends as NULL',
      remedy: `run ALTER TABLE ${pgTable(source)} REPLICA IDENTITY FULL`,
    });
  }
  const reread = isRereadable({ table, source }) && !keyNames({ table, source }).includes(column.name);
  return limits.filter((limit) => {
    const { streamOnly, unlessReread, covers } = limit;
    if ((streamOnly && !stream) || (unlessReread && reread) || isRuledOut(limit, column)) return false;
    return covers?.(column) ?? true;
  });
}

function generatedLimit(column: SourceColumn, source: SourceTable): TypeLimit {
  return {
    lost: 'it is generated, Debezium does not send it, and the target lacks it',
    remedy: `compute it in a view, or run ALTER TABLE ${pgTable(source)} ALTER COLUMN ${quoted(column)} DROP EXPRESSION`,
  };
}

function quoted({ name }: SourceColumn): string {
  return pgIdentifier(name);
}
