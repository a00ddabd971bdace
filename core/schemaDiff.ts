import type { SourceColumn, SourceTable } from './catalog.ts';
import { formatTableName } from './identifiers.ts';
import { type Catalog, type EraColumn, eraOf, isMistakable, isRewritten, sentColumns } from './schemaVersion.ts';

/** How a change of the source's schema is followed. */
export interface SchemaDiff {
  /** For a person, one line a change. */
  changes: string[];
  /** Why altering the target is not enough, so that the table is loaded anew, or a history begun anew; null when it is. */
  reload: string | null;
  /** True when the target can be altered all the same, so that readers have its rows until it has been loaded. */
  alterable: boolean;
}

/**
 * Compares two catalogs of one table, column by column by attnum.
 * @param options.era what the messages hold that have not landed yet.
 * @param options.history the target keeps changes, to which rows without an event add nothing.
 */
export function diffSchema(
  before: Catalog,
  now: Catalog,
  { era, history = false }: { era: readonly EraColumn[]; history?: boolean },
): SchemaDiff {
  const old = new Map(sentColumns(before.source).map((column) => [column.attnum, column]));
  const present = sentColumns(now.source);
  const live = new Set(present.map(({ attnum }) => attnum));
  const changes = [
    ...[...old.values()].filter(({ attnum }) => !live.has(attnum)).map(({ name }) => `column ${name} was dropped`),
    ...present.flatMap((column) => columnChanges(old.get(column.attnum), column)),
  ];
  if (before.source.primaryKey.join('\0') !== now.source.primaryKey.join('\0')) {
    changes.push(`the primary key is now (${now.source.primaryKey.join(', ')})`);
  }
  const torn = tornReason(before, now, era);
  const stale = history ? null : staleReason(before, now, { old, present });
  return { changes, reload: torn ?? stale, alterable: torn === null };
}

function columnChanges(before: SourceColumn | undefined, now: SourceColumn): string[] {
  if (!before) {
    const value = now.default === null ? '' : ` with the default ${now.default}`;
    return [`column ${now.name} ${now.type}${now.notNull ? ' NOT NULL' : ''} was added${value}`];
  }
  const changes: string[] = [];
  if (before.name !== now.name) changes.push(`column ${before.name} was renamed to ${now.name}`);
  if (before.type !== now.type) changes.push(`column ${now.name} was ${before.type} and is ${now.type}`);
  if (before.notNull !== now.notNull) changes.push(`column ${now.name} ${now.notNull ? 'is NOT NULL' : 'may be NULL'}`);
  if (before.default !== now.default) changes.push(`the default of column ${now.name} is ${now.default ?? 'none'}`);
  return changes;
}

/** Why neither rows nor messages of before can be told what they are of now. */
function tornReason(before: Catalog, now: Catalog, era: readonly EraColumn[]): string | null {
  const table = formatTableName(now.source);
  if (before.source.oid !== now.source.oid) return `${table} was dropped and created again`;
  if (keyOf(before.source) !== keyOf(now.source)) return `the key of ${table} was altered`;
  const hashed = now.source.columns.find(({ attnum, hashed }) =>
    before.source.columns.some((each) => each.attnum === attnum && each.hashed !== hashed),
  );
  if (hashed) return `column ${hashed.name} of ${table} is ${hashed.hashed ? '' : 'no longer '}hashed`;
  if (isMistakable(era, eraOf(now.source))) return `columns of ${table} have exchanged their names`;
  return null;
}

/** Why rows of the source have values that no message has told of. */
function staleReason(
  before: Catalog,
  now: Catalog,
  { old, present }: { old: ReadonlyMap<number, SourceColumn>; present: readonly SourceColumn[] },
): string | null {
  const table = formatTableName(now.source);
  if (isRewritten(before, now)) return `${table} was rewritten, which gives rows new values without an event`;
  if (now.source.kind === 'p' && present.some((column) => !old.has(column.attnum) && column.default !== null)) {
    return `a column with a default was added to ${table}, whose partitions keep the values of their old rows`;
  }
  const revealed = present.find(({ attnum }) => !old.has(attnum) && attnum <= before.lastAttnum);
  if (revealed) return `column ${revealed.name} of ${table} was there before, but was not sent, so older rows lack it`;
  return null;
}

/** The key's columns by attnum, with what ClickHouse cannot alter in a sorting key. Without a key, the whole row is one. */
function keyOf({ primaryKey, replicaIdentity, identityIndex, columns }: SourceTable): string {
  const names = replicaIdentity === 'i' ? identityIndex : primaryKey;
  const key = names.length > 0 ? names.map((name) => columns.find((column) => column.name === name)!) : columns;
  return JSON.stringify(key.map(({ attnum, name, type, typeName }) => [attnum, name, type, typeName]));
}
