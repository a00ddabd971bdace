/** Pages `fromPage` up to, but not including, `toPage`; null: up to the end, however far the table has grown meanwhile. */
export interface PageRange {
  fromPage: number;
  toPage: number | null;
}

/** 16 MiB: below that, a further COPY and a further INSERT cost more than reading side by side gains. */
const PAGES_WORTH_A_RANGE = 2048;
/** More ranges than connections, so that one that finishes early takes over work of the others. */
const RANGES_PER_CONNECTION = 4;
/** Scans by a range of ctid came with PostgreSQL 14; before, each range would read the whole table. */
export const FIRST_VERSION_WITH_TID_RANGE_SCAN = 140_000;

/** The condition on a row for being in these pages. */
export function inPages({ fromPage, toPage }: PageRange): string {
  const from = `ctid >= '(${fromPage},0)'::tid`;
  return toPage === null ? from : `${from} AND ctid < '(${toPage},0)'::tid`;
}

/**
 * Splits a heap into ranges of pages that are copied side by side. Together they hold each row of one snapshot exactly
 * once: within a snapshot a row's version stays on its page. An empty list means: do not split, read the table as one.
 * @param table.kind pg_class.relkind; only plain tables (`r`) have pages of their own.
 * @param options.serverVersion server_version_num, such as 180004.
 */
export function ctidRanges(
  table: { kind: string; pages: number },
  options: { connections: number; serverVersion: number },
): PageRange[] {
  if (table.kind !== 'r' || options.serverVersion < FIRST_VERSION_WITH_TID_RANGE_SCAN) return [];
  const worth = Math.floor(table.pages / PAGES_WORTH_A_RANGE);
  const count = Math.min(worth, options.connections * RANGES_PER_CONNECTION);
  if (count < 2 || options.connections < 2) return [];
  const size = Math.ceil(table.pages / count);
  return Array.from({ length: count }, (_, index) => ({
    fromPage: index * size,
    toPage: index === count - 1 ? null : (index + 1) * size,
  }));
}
