import assert from 'node:assert/strict';
import type { Scenario } from './harness.ts';

/**
 * What a table's history is judged by: a trigger at the source that writes down each change with the row before and after.
 * Columns go by their attnum on both sides, so that the comparison knows nothing of names, nor how any is mapped.
 */
export function logChanges(table: string): string {
  return `
    CREATE TABLE IF NOT EXISTS change_log (n bigserial PRIMARY KEY, at text, op text, xid bigint, before jsonb, after jsonb);
    CREATE OR REPLACE FUNCTION by_attnum(relation oid, changed jsonb) RETURNS jsonb LANGUAGE sql AS $$
      SELECT jsonb_object_agg(attnum, changed->>(attname::text)) FROM pg_attribute
      WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped AND changed->>(attname::text) IS NOT NULL
    $$;
    CREATE OR REPLACE FUNCTION log_change() RETURNS trigger LANGUAGE plpgsql SET timezone = 'UTC' AS $$
    BEGIN
      INSERT INTO change_log (at, op, xid, before, after) VALUES (TG_TABLE_NAME,
        CASE TG_OP WHEN 'INSERT' THEN 'c' WHEN 'UPDATE' THEN 'u' ELSE 'd' END, (pg_current_xact_id()::text)::bigint,
        CASE WHEN TG_OP <> 'INSERT' THEN by_attnum(TG_RELID, to_jsonb(OLD)) END,
        CASE WHEN TG_OP = 'DELETE' THEN by_attnum(TG_RELID, to_jsonb(OLD)) ELSE by_attnum(TG_RELID, to_jsonb(NEW)) END);
      RETURN NULL;
    END $$;
    CREATE TRIGGER log_change AFTER INSERT OR UPDATE OR DELETE ON ${table} FOR EACH ROW EXECUTE FUNCTION log_change();`;
}

/**
 * Fails unless the targets together hold each change that the log has of these operations, each of them once, with the row
 * before and after. A change that landed twice around the moment when another target began may be in both. What is to be
 * compared must have landed.
 * @returns how many there are.
 */
export async function assertHistory(
  scenario: Scenario,
  { table, targets, operations }: { table: string; targets: readonly string[]; operations: readonly string[] },
): Promise<number> {
  const logged = await scenario.source.admin.query<{ op: string; xid: string; before: object; after: object }>(
    'SELECT op, xid::text, before, after FROM change_log WHERE at = $1 AND op = ANY($2)',
    [table, operations],
  );
  const text = (op: string, xid: string, ...rows: (object | null)[]) =>
    JSON.stringify([op, xid, ...rows.map((row) => row && Object.entries(row).map(canonical).sort())]);
  const expected = logged.rows.map(({ op, xid, before, after }) => text(op, xid, before, after));
  const actual: string[] = [];
  const known = new Set<string>();
  for (const target of targets) {
    const columns = await scenario.clickhouse.rows<{ name: string; comment: string }>(
      `SELECT name, comment FROM system.columns
       WHERE database = {database:String} AND table = {target:String} AND comment LIKE 'source column %'`,
      { params: { database: scenario.pipeline.database, target } },
    );
    const row = (before: boolean) =>
      `map(${columns
        .filter(({ comment }) => comment.endsWith(' before the change') === before)
        .map(({ name, comment }) => `'${comment.split(' ')[2]}', toString(\`${name}\`)`)
        .join(', ')})`;
    const present = (map: string) => `mapFilter((attnum, value) -> value IS NOT NULL, ${map})`;
    const kept = await scenario.clickhouse.rows<{
      lsn: string;
      op: string;
      xid: string;
      before: object;
      after: object;
    }>(
      `SELECT toString(lsn) AS lsn, op, toString(transaction_id) AS xid, ${present(row(true))} AS before, ${present(row(false))} AS after
       FROM ${scenario.pipeline.database}.${target} FINAL`,
    );
    const orNull = (row: object) => (Object.keys(row).length > 0 ? row : null);
    const fresh = kept.filter(({ lsn }) => !known.has(lsn));
    for (const { lsn } of fresh) known.add(lsn);
    actual.push(...fresh.map(({ op, xid, before, after }) => text(op, xid, orNull(before), after)));
  }
  assert.deepEqual(actual.sort(), expected.sort());
  return actual.length;
}

/** Times and decimals as both databases write them, each in its own way; other values stay as they are. */
function canonical([attnum, value]: [string, string]): string {
  const time = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(\.\d+)?(\+00:00)?$/.exec(value);
  if (time) return `${attnum} ${time[1]} ${time[2]} ${Number(time[3] ?? 0)}`;
  return `${attnum} ${/^-?\d+\.\d+$/.test(value) ? value.replace(/\.?0+$/, '') : value}`;
}
