import type pg from 'pg';
import type { ClickHouse } from '../adapters/clickhouse.ts';
import { guarded } from '../adapters/postgresCopyErrors.ts';
import type { VerifySql } from '../core/canonical.ts';
import { CONVERSION_SETTINGS } from '../core/ddl.ts';
import { pgLiteral } from '../core/identifiers.ts';
import { indexLookup } from '../core/keyText.ts';
import { type Difference, judgeKey, type KeyedRows, type KeyReading, type StoredVersions } from '../core/tableDiff.ts';
import type { ScratchSql } from '../core/verifyScratch.ts';

/** How often keys are read again at most: a key that was never at rest by then is not judged. */
const MAX_ROUNDS = 40;
/** Keys that one statement looks up at the source. */
const KEYS_PER_LOOKUP = 1000;
/** SQLSTATE class of a text that is not of the type: a key of the target that the source cannot have. */
const NOT_OF_THE_TYPE = /^22/;

export interface Judged {
  /** Looks keys up, with the settings of openLookups. */
  session: pg.Client;
  clickhouse: ClickHouse;
  sql: VerifySql;
  scratch: ScratchSql;
  signal: AbortSignal;
  /** Waits until the target has all that is at the source now. */
  reach: () => Promise<unknown>;
}

/** Keys of the scratch table's list, and where in it they stand. */
export interface KeyBatch {
  keys: readonly string[];
  limit: number;
  offset: number;
}

/** Makes a session find rows by the index, however much the planner would like to read the whole table. */
export async function openLookups(session: pg.Client): Promise<void> {
  const settings = ['enable_hashjoin', 'enable_mergejoin', 'max_parallel_workers_per_gather'];
  for (const name of settings) await guarded(() => session.query(`SET ${name} = 0`));
}

/** Reads keys again on both sides, each until it is equal or certainly different, see judgeKey. */
export async function judgeKeys(
  judged: Judged,
  batch: KeyBatch,
): Promise<{ differences: Difference[]; unsettled: number }> {
  const differences: Difference[] = [];
  let before = new Map<string, KeyReading>();
  let open = batch.keys;
  for (let round = 1; open.length > 0 && round <= MAX_ROUNDS; round++) {
    const readings = await readKeys(judged, { ...batch, keys: open });
    const verdicts = open.map((key) => ({ key, kind: judgeKey(readings.get(key)!, before.get(key) ?? null) }));
    open = verdicts.filter(({ kind }) => kind === 'open').map(({ key }) => key);
    differences.push(...verdicts.filter((verdict): verdict is Difference => !['open', 'equal'].includes(verdict.kind)));
    before = readings;
  }
  return { differences, unsettled: open.length };
}

/** In this order: the source, what has landed by then, and after that what is stored. */
async function readKeys(judged: Judged, { keys, limit, offset }: KeyBatch): Promise<Map<string, KeyReading>> {
  const { clickhouse, scratch, signal, reach } = judged;
  const options = { settings: CONVERSION_SETTINGS, signal };
  const source = await lookUp(judged, keys);
  await reach();
  const current = await clickhouse.rows<KeyedRows & { key: string }>(scratch.readTarget(limit, offset), options);
  const stored = await clickhouse.rows<{ key: string; version: string; states: [string, string | null][] }>(
    scratch.readVersions(limit, offset),
    options,
  );
  const target = new Map(current.map(({ key, rows, hash }) => [key, { rows, hash }]));
  const versions = new Map(
    stored.map(({ key, version, states }): [string, StoredVersions] => [
      key,
      { version, states: states.map(([each, hash]) => ({ version: each, hash })) },
    ]),
  );
  return new Map(
    keys.map((key): [string, KeyReading] => [
      key,
      {
        ...{ source: source.get(key) ?? null, target: target.get(key) ?? null },
        ...(versions.get(key) ?? { version: null, states: [] }),
      },
    ]),
  );
}

async function lookUp({ session, sql, signal }: Judged, keys: readonly string[]): Promise<Map<string, KeyedRows>> {
  const { key, hash } = sql.postgres;
  // Rows that are equal in all columns count once.
  const totals = sql.distinct ? `'1' AS rows, max(${hash})::text` : `count(*)::text AS rows, sum(${hash})::text`;
  const found = new Map<string, KeyedRows>();
  await eachLookup(sql, keys, async (from) => {
    signal.throwIfAborted();
    const { rows } = await session.query<KeyedRows & { key: string }>(
      `SELECT ${key} AS key, ${totals} AS hash FROM ${from} GROUP BY 1`,
    );
    for (const row of rows) found.set(row.key, { rows: row.rows, hash: row.hash });
  });
  return found;
}

/**
 * Calls `read` with the rest of a SELECT, after FROM, for the rows of so many keys at a time. When it throws because a key
 * is no value of the source's types, it is called again for the same keys with one that scans the table.
 */
export async function eachLookup(
  sql: VerifySql,
  keys: readonly string[],
  read: (from: string) => Promise<void>,
): Promise<void> {
  const { key, rows } = sql.postgres;
  const array = (texts: readonly string[]) => `ARRAY[${texts.map(pgLiteral).join(',')}]::text[]`;
  const scan = (some: readonly string[]) => guarded(() => read(`${rows} WHERE ${key} = ANY (${array(some)})`));
  const lookup = indexLookup(sql.keyColumns);
  if (lookup === null) return await scan(keys);
  for (let at = 0; at < keys.length; at += KEYS_PER_LOOKUP) {
    const some = keys.slice(at, at + KEYS_PER_LOOKUP);
    try {
      await read(`${rows} ${lookup.join(lookup.values(some).map(array))}`);
    } catch (error) {
      if (!NOT_OF_THE_TYPE.test(codeOf(error))) return await guarded(() => Promise.reject(error));
      await scan(some);
    }
  }
}

/** The SQLSTATE of what PostgreSQL or a COPY of it threw. */
function codeOf(error: unknown): string {
  const { code, cause } = error as { code?: string; cause?: { code?: string } };
  return cause?.code ?? code ?? '';
}
