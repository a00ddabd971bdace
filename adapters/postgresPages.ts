import type pg from 'pg';
import type { SourceTable } from '../core/catalog.ts';
import { FIRST_VERSION_WITH_TID_RANGE_SCAN } from '../core/ctidRanges.ts';
import { guarded } from './postgresCopyErrors.ts';

/**
 * How many heaps hold a table's rows (a partitioned table has those of its partitions), and the pages of the largest.
 * Null when it cannot be read by ranges of pages.
 */
export async function readHeaps(
  session: pg.Client,
  source: Pick<SourceTable, 'oid'>,
): Promise<{ heaps: number; pages: number } | null> {
  const { rows } = await guarded(() =>
    session.query<{ heaps: number; pages: number; plain: boolean; version: number }>(
      `SELECT count(*)::int AS heaps, coalesce(bool_and(c.relkind = 'r'), false) AS plain,
              current_setting('server_version_num')::int AS version,
              coalesce(max(pg_relation_size(c.oid) / current_setting('block_size')::bigint), 0)::float8 AS pages
       FROM pg_class c WHERE c.oid IN (
         SELECT $1::oid WHERE NOT EXISTS (SELECT FROM pg_partitioned_table WHERE partrelid = $1::oid)
         UNION SELECT relid FROM pg_partition_tree($1::oid) WHERE isleaf)`,
      [source.oid],
    ),
  );
  const { heaps, pages, plain, version } = rows[0]!;
  return plain && version >= FIRST_VERSION_WITH_TID_RANGE_SCAN ? { heaps, pages } : null;
}
