import type { ClickHouse } from '../adapters/clickhouse.ts';
import { leftoversOf } from '../core/copyAttempt.ts';
import { chTable } from '../core/identifiers.ts';

/** A table may be larger than what ClickHouse lets people drop or truncate by accident; here it is meant. */
export const MEANT = { max_table_size_to_drop: 0, max_partition_size_to_drop: 0 } as const;

/**
 * Drops the tables of attempts for these targets. An attempt that loses them while it still runs fails, and takes nothing
 * over.
 * @param options.token of one attempt; without it, those of all attempts.
 * @param options.sync whether to wait for the statements that still use a table; default: no.
 */
export async function dropLeftovers(
  clickhouse: ClickHouse,
  options: { database: string; targets: readonly string[]; token?: string; sync?: boolean },
): Promise<void> {
  const { database, targets, token, sync = false } = options;
  const names = await clickhouse.tableNames(database);
  for (const name of targets.flatMap((target) => leftoversOf(target, { names, ...(token && { token }) }))) {
    const table = chTable({ database, name });
    await clickhouse.command(`DROP TABLE IF EXISTS ${table}${sync ? ' SYNC' : ''}`, { settings: MEANT });
  }
}

/** Runs statements one after the other. */
export async function runAll(
  clickhouse: ClickHouse,
  statements: readonly string[],
  signal?: AbortSignal,
): Promise<void> {
  for (const sql of statements) await clickhouse.command(sql, { ...(signal && { signal }) });
}
