import type { VerifySql } from './canonical.ts';
import { currentRows, truncatedAt } from './ddlCurrent.ts';
import { chLiteral, chTable } from './identifiers.ts';
import { DELETED_COLUMN, type TargetShape, VERSION_COLUMN } from './typeMapping.ts';

/**
 * Tables of one comparison, in the pipeline's database. `<target>_verify_<token>` holds key and hash of every row of both
 * sides, so that they are compared by ClickHouse piece by piece, in bounded memory; `..._keys` the keys that differed
 * there and are read again; `..._repair` those that are mended.
 */
export function scratchName(target: string, token: string): string {
  return `${target}_verify_${token}`;
}

/** Which of the names are of comparisons of this target, whatever became of them. */
export function scratchTables(target: string, names: readonly string[]): string[] {
  const prefix = scratchName(target, '');
  return names.filter(
    (name) => name.startsWith(prefix) && /^[0-9a-f]{12}(_keys|_repair)?$/.test(name.slice(prefix.length)),
  );
}

/** In the column `side` of the scratch table. */
export const SOURCE = 1;
export const TARGET = 2;

/** Rows of both sides that are grouped at a time. */
const ROWS_PER_PIECE = 2_000_000;
const MAX_PIECES = 4096;
/** How many of a key's stored versions are looked at. */
const STATES = 50;

/** Quoted names of these tables, and the statements of one comparison, to be run with CONVERSION_SETTINGS. */
export interface ScratchSql {
  scratch: string;
  keys: string;
  repair: string;
  create: string[];
  /** Fills the target's side, which must be empty. */
  fillTarget: string;
  /** {side, rows}: how many rows each side has. */
  counts: string;
  /** Statements that fill `keys` with what differs; each looks at a part of the rows. */
  fillKeys(rows: number): string[];
  /** Adds the keys that have a tombstone of at least the version. */
  fillTombstones(version: bigint): string;
  /** {key, source, target} of up to `limit` keys that differ, with their number of rows. */
  differing(rows: number, limit: number): string[];
  /** One row: {keys, longest}: how many keys there are, and the bytes of the longest. */
  measureKeys: string;
  /** {key}, in their order. */
  readKeys(limit: number, offset: number): string;
  /** {key, rows, hash} of the current rows of these keys. */
  readTarget(limit: number, offset: number): string;
  /** {key, version, states}: what is stored for these keys. A TRUNCATE that hides them counts as a version. */
  readVersions(limit: number, offset: number): string;
}

export function scratchSql(shape: TargetShape, sql: VerifySql, token: string): ScratchSql {
  const { database, table } = shape;
  const { clickhouse, distinct } = sql;
  const name = scratchName(table.target, token);
  const scratch = chTable({ database, name });
  const keys = chTable({ database, name: `${name}_keys` });
  const target = chTable({ database, name: table.target });
  const hashed = (rows: string) =>
    `SELECT ${clickhouse.key} AS _tidegate_key, ${clickhouse.hash} AS _tidegate_hash FROM ${rows}`;
  const count = (side: number) => `countIf(side = ${side})`;
  const differs = distinct
    ? `(${count(SOURCE)} > 0) != (${count(TARGET)} > 0)`
    : `${count(SOURCE)} != ${count(TARGET)} OR sumIf(hash, side = ${SOURCE}) != sumIf(hash, side = ${TARGET})`;
  const pieces = (rows: number, select: string, rest = '') => {
    const wanted = Math.min(MAX_PIECES, Math.max(1, Math.ceil(rows / ROWS_PER_PIECE)));
    const size = (1n << 64n) / BigInt(wanted);
    return Array.from({ length: wanted }, (_, piece) => {
      const from = size * BigInt(piece);
      const last = piece === wanted - 1 ? (1n << 64n) - 1n : from + size - 1n;
      return `${select} FROM ${scratch} WHERE place BETWEEN ${from} AND ${last} GROUP BY place, key HAVING ${differs}${rest}`;
    });
  };
  const some = (limit: number, offset: number) =>
    `SELECT DISTINCT key FROM ${keys} ORDER BY key LIMIT ${limit} OFFSET ${offset}`;
  const among = (limit: number, offset: number) => `${clickhouse.key} IN (${some(limit, offset)})`;
  return {
    scratch,
    keys,
    repair: chTable({ database, name: `${name}_repair` }),
    create: [
      `CREATE TABLE ${scratch} (key String, hash UInt64, side UInt8, part UInt32, ` +
        `place UInt64 MATERIALIZED sipHash64(key)) ENGINE = MergeTree ORDER BY place`,
      `CREATE TABLE ${keys} (key String) ENGINE = ReplacingMergeTree ORDER BY key`,
    ],
    fillTarget: `INSERT INTO ${scratch} (key, hash, side, part) SELECT _tidegate_key, _tidegate_hash, ${TARGET}, 0 FROM (${hashed(clickhouse.rows)})`,
    counts: `SELECT side, count() AS rows FROM ${scratch} GROUP BY side`,
    fillKeys: (rows) => pieces(rows, `INSERT INTO ${keys} SELECT key`),
    fillTombstones: (version) =>
      `INSERT INTO ${keys} SELECT DISTINCT ${clickhouse.key} FROM ${target} ` +
      `WHERE ${DELETED_COLUMN} = 1 AND ${VERSION_COLUMN} >= toUInt128(${chLiteral(String(version))})`,
    differing: (rows, limit) =>
      pieces(
        rows,
        `SELECT key, ${count(SOURCE)} AS source, ${count(TARGET)} AS target`,
        ` ORDER BY key LIMIT ${limit}`,
      ),
    measureKeys: `SELECT uniqExact(key) AS keys, max(length(key)) AS longest FROM ${keys}`,
    readKeys: some,
    readTarget: (limit, offset) =>
      `SELECT _tidegate_key AS key, count() AS rows, toString(sum(toUInt128(_tidegate_hash))) AS hash ` +
      `FROM (${hashed(currentRows(shape, among(limit, offset)))}) GROUP BY _tidegate_key`,
    readVersions: (limit, offset) =>
      `SELECT _tidegate_key AS key, toString(greatest(max(_tidegate_version), ${truncatedAt(shape)})) AS version, ` +
      `arrayMap(state -> (toString(state.1), state.2), arraySlice(arrayReverseSort(groupUniqArray(` +
      `(_tidegate_version, _tidegate_hash))), 1, ${STATES})) AS states FROM (SELECT ${clickhouse.key} AS _tidegate_key, ` +
      `${VERSION_COLUMN} AS _tidegate_version, if(${DELETED_COLUMN} = 1, NULL, toString(${clickhouse.hash})) AS _tidegate_hash ` +
      `FROM ${target} PREWHERE ${among(limit, offset)}) GROUP BY _tidegate_key`,
  };
}
