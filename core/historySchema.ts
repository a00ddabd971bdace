import type { SourceColumn, SourceTable } from './catalog.ts';
import { type Catalog, type EraColumn, eraOf, type SchemaVersion, sentColumns } from './schemaVersion.ts';
import { alterTarget, holdsAll, isNullable, type TargetColumn, type WantedColumn } from './targetDiff.ts';

/**
 * How the target of a history follows the source's schema. It keeps what it has: a column that the source has dropped
 * stays, and is NULL in later changes; a target that cannot be altered is left under another name, and a new one begun.
 */

/**
 * The table with the columns that it has had besides, as ones that may be NULL: messages that have not landed yet may hold
 * them. One whose name is given to another is called after its attnum as well.
 * @param versions what is recorded, the oldest first.
 */
export function withDropped(source: SourceTable, versions: readonly SchemaVersion[]): SourceTable {
  const present = new Set(source.columns.map(({ attnum }) => attnum));
  const dropped = new Map<number, SourceColumn>();
  for (const version of versions.filter((each) => each.source.oid === source.oid)) {
    for (const column of sentColumns(version.source))
      if (!present.has(column.attnum)) dropped.set(column.attnum, column);
  }
  const names = new Set(source.columns.map(({ name }) => name));
  const kept = [...dropped.values()].map((column) => {
    const name = names.has(column.name) ? `${column.name}_dropped_${column.attnum}` : column.name;
    names.add(name);
    return { ...column, name, notNull: false };
  });
  return { ...source, columns: [...source.columns, ...kept] };
}

/** The parts of ALTER TABLE, as alterTarget gives them; null when the history must be begun anew. */
export function alterHistory(actual: readonly TargetColumn[], wanted: readonly WantedColumn[]): string[] | null {
  return alterTarget(actual, wanted, widens);
}

/** Numbers of the same kind, from narrow to wide. */
const WIDTHS = [
  ['Int16', 'Int32', 'Int64'],
  ['Float32', 'Float64'],
];

/** As for any target; a wider number as well, since a change that was kept stays as it was, whatever rows became. */
function widens(actual: string, wanted: string): boolean {
  const bare = (type: string) => /^Nullable\((.+)\)$/.exec(type)?.[1] ?? type;
  if (holdsAll(actual, wanted)) return true;
  if (isNullable(actual) && !isNullable(wanted)) return false;
  return WIDTHS.some((widths) => {
    const [from, to] = [widths.indexOf(bare(actual)), widths.indexOf(bare(wanted))];
    return from >= 0 && from < to;
  });
}

/**
 * What messages hold of which only the names are certain: a name means what it meant in the messages before, and where they
 * did not have it, what it means now.
 */
export function eraByName(names: readonly string[], now: Catalog, before: readonly EraColumn[] = []): EraColumn[] {
  const known = [...before, ...eraOf(now.source)];
  return names.map((name) => ({ name, attnum: known.find((column) => column.name === name)?.attnum ?? null }));
}
