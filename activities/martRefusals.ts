import { ClickHouseError } from '@clickhouse/client';
import { messageOf, TidegateError } from '../core/errors.ts';

/** ClickHouse's codes for a SELECT of a mart that no retry mends: of its text, its names and types, and of throwIf. */
const MART_REFUSALS: ReadonlySet<number> = new Set([
  ...[6, 8, 16, 20, 42, 43, 44, 46, 47, 53, 62, 70, 179, 184, 215, 386, 395, 407, 456],
]);

/** What a mart's SELECT failed of: MART_REFUSED where no retry mends that, else the failure as it is. */
export function martFailure({ name, file }: { name: string; file: string }, cause: unknown): unknown {
  if (!(cause instanceof ClickHouseError) || !MART_REFUSALS.has(Number(cause.code))) return cause;
  return new TidegateError('MART_REFUSED', `ClickHouse refuses the SELECT of ${name}: ${messageOf(cause)}`, {
    remedy: `Correct ${file}; its columns must be those of the table.`,
    cause,
  });
}
