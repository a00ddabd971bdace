import type { SourceColumn, SourceTable } from './catalog.ts';

/** A column of a table's messages: what it is called there, and which column of the source that is. */
export interface EraColumn {
  name: string;
  /** pg_attribute.attnum; null for a column that came and went unseen, so that nothing is kept of it. */
  attnum: number | null;
}

/** What a table's catalog says at one moment, with what tells whether its rows have been rewritten. */
export interface Catalog {
  source: SourceTable;
  /** Names of the files that hold the rows, see tableFiles. */
  files: string;
  /** The highest attnum that the table has ever given, dropped columns included. */
  lastAttnum: number;
  /** By attnum: pg_attribute.xmin, which changes with every ALTER of the column. */
  touched: Readonly<Record<number, string>>;
  /**
   * By attnum: the value of rows that are older than the column, as the text that COPY gives; only for columns that were
   * added with a constant default.
   */
  missing: Readonly<Record<number, string>>;
}

/** What is recorded of a stream table each time its schema was followed. */
export interface SchemaVersion extends Catalog {
  /** What the messages that come next hold. */
  era: readonly EraColumn[];
  /** Why the table is left aside, one sentence with what mends it; null while it is streamed. */
  aside: string | null;
  /** Rows were rewritten while the table was left aside: it must be loaded anew when it is taken up again. */
  rewritten: boolean;
}

/** Columns that Debezium sends. */
export function sentColumns({ columns }: Pick<SourceTable, 'columns'>): SourceColumn[] {
  return columns.filter(({ generated }) => !generated);
}

/** The era of messages that are written under this catalog. */
export function eraOf(source: Pick<SourceTable, 'columns'>): EraColumn[] {
  return sentColumns(source).map(({ name, attnum }) => ({ name, attnum }));
}

/** What a table begins with: its messages hold what its catalog says. */
export function firstVersion(catalog: Catalog): SchemaVersion {
  return { ...catalog, missing: {}, era: eraOf(catalog.source), aside: null, rewritten: false };
}

/**
 * True when the rows may have been given other values without a single event: the table has new files, and a column was
 * added or altered. TRUNCATE and VACUUM FULL give new files too, but touch no column.
 */
export function isRewritten(before: Catalog, now: Catalog): boolean {
  if (before.files === now.files) return false;
  return sentColumns(now.source).some(({ attnum }) => before.touched[attnum] !== now.touched[attnum]);
}

/** True when nothing has to be done about the table. */
export function isSameSchema(before: Catalog, now: Catalog): boolean {
  return fingerprint(before.source) === fingerprint(now.source) && !isRewritten(before, now);
}

function fingerprint(source: SourceTable): string {
  const { oid, kind, columns, primaryKey, replicaIdentity, identityIndex } = source;
  const parts = columns.map((c) => {
    return [c.attnum, c.name, c.type, c.typeName, c.notNull, c.generated, c.default, c.checks, c.hashed];
  });
  return JSON.stringify([oid, kind, parts, primaryKey, replicaIdentity, identityIndex]);
}

/** A catalog as far as messages tell of it. */
export interface EraVersion extends Pick<Catalog, 'lastAttnum' | 'touched'> {
  era: readonly EraColumn[];
}

/**
 * What the messages of a table may have been written under, the oldest first: what is recorded of this very table, and
 * what its catalog says now.
 */
export function knownVersions(recorded: readonly SchemaVersion[], now: Catalog): EraVersion[] {
  const versions = recorded
    .filter(({ source }) => source.oid === now.source.oid)
    .flatMap((version) => [version, { ...version, era: eraOf(version.source) }]);
  return [...versions, { ...now, era: eraOf(now.source) }];
}

/**
 * False when the table cannot have had columns of exactly these names at any time between the versions: a message holds
 * all columns, and a name that no version has is of a column that came and went, or that was renamed, unseen. Either
 * leaves its mark in the catalog.
 */
export function couldHold(keys: readonly string[], versions: readonly EraVersion[]): boolean {
  const columns = versions.flatMap(({ era }) => era);
  const covered = new Set(columns.filter(({ name }) => keys.includes(name)).map(({ attnum }) => attnum));
  const attnums = new Set(columns.flatMap(({ attnum }) => (attnum === null ? [] : [attnum])));
  const open = [...attnums].filter((attnum) => !covered.has(attnum));
  const untouched = (attnum: number) => new Set(versions.map(({ touched }) => touched[attnum])).size === 1;
  const lasting = open.filter((attnum) => versions.every(({ era }) => era.some((each) => each.attnum === attnum)));
  if (lasting.some(untouched)) return false;

  const unknown = keys.filter((key) => columns.every(({ name }) => name !== key)).length;
  const renamed = open.filter((attnum) => !untouched(attnum)).length;
  return lasting.length <= unknown && unknown <= renamed + unseenAttnums(versions, attnums);
}

/** How many columns have come and gone without being in any version. */
function unseenAttnums(versions: readonly EraVersion[], known: ReadonlySet<number>): number {
  const [first, last] = [versions[0]!.lastAttnum, versions.at(-1)!.lastAttnum];
  let unseen = 0;
  for (let attnum = first + 1; attnum <= last; attnum++) if (!known.has(attnum)) unseen++;
  return unseen;
}

/**
 * Which columns a message holds that has these keys. A name may have stood for several columns in the course of time, so
 * the versions of the catalog are asked first for exactly these names, then name by name.
 * @param versions of the catalog that the message may have been written under, the oldest first, today's last.
 * @returns null when the names leave a doubt: then only loading the table anew is exact.
 */
export function resolveEra(keys: readonly string[], versions: readonly EraVersion[]): EraColumn[] | null {
  const wanted = [...keys].sort().join('\0');
  const exact = versions.map(({ era }) => era).filter((era) => namesOf(era) === wanted);
  if (exact.length > 0) return new Set(exact.map(meaningOf)).size === 1 ? [...exact[0]!] : null;

  const columns = versions.flatMap(({ era }) => era);
  const era = keys.map((name) => {
    const attnums = new Set(columns.filter((column) => column.name === name).map(({ attnum }) => attnum));
    return { name, attnums: [...attnums] };
  });
  if (era.some(({ attnums }) => attnums.length > 1)) return null;
  const resolved = era.map(({ name, attnums }): EraColumn => ({ name, attnum: attnums[0] ?? null }));
  const held = resolved.flatMap(({ attnum }) => (attnum === null ? [] : [attnum]));
  if (new Set(held).size < held.length) return null;
  return explainUnknown(resolved, { held, versions });
}

/**
 * A name that no version has: of a column that came and went unseen, of which nothing is kept, or an earlier name of a
 * column that is known. It is certain when only one of the two can be.
 */
function explainUnknown(
  era: readonly EraColumn[],
  { held, versions }: { held: readonly number[]; versions: readonly EraVersion[] },
): EraColumn[] | null {
  const unknown = era.filter(({ attnum }) => attnum === null);
  if (unknown.length === 0) return [...era];
  const absent = (columns: readonly EraColumn[]) =>
    new Set(columns.flatMap(({ attnum }) => (attnum === null || held.includes(attnum) ? [] : [attnum])));
  if (absent(versions.at(-1)?.era ?? []).size === 0) return [...era];

  const known = new Set(versions.flatMap((version) => version.era.flatMap(({ attnum }) => attnum ?? [])));
  if (unseenAttnums(versions, known) > 0) return null;
  const candidates = [...absent(versions.flatMap((version) => version.era))];
  if (unknown.length !== 1 || candidates.length !== 1) return null;
  return era.map((column) => (column.attnum === null ? { ...column, attnum: candidates[0]! } : column));
}

/** True when both are called the same and mean the same, in whatever order. */
export function isSameEra(one: readonly EraColumn[], other: readonly EraColumn[]): boolean {
  return meaningOf(one) === meaningOf(other);
}

/** True when messages of both look alike but mean different columns, so that nothing would tell where one ends. */
export function isMistakable(one: readonly EraColumn[], other: readonly EraColumn[]): boolean {
  return namesOf(one) === namesOf(other) && !isSameEra(one, other);
}

function namesOf(era: readonly EraColumn[]): string {
  return era
    .map(({ name }) => name)
    .sort()
    .join('\0');
}

function meaningOf(era: readonly EraColumn[]): string {
  return era
    .map(({ name, attnum }) => `${name}\0${attnum}`)
    .sort()
    .join('\0\0');
}
