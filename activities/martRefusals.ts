/** ClickHouse's codes for a SELECT of a mart that no retry mends: of its text, its names and types, and of throwIf. */
export const MART_REFUSALS: ReadonlySet<number> = new Set([
  ...[6, 8, 16, 20, 42, 43, 44, 46, 47, 53, 62, 70, 179, 184, 215, 386, 395, 407, 456],
]);
