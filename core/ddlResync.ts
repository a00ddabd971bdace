import { lateName, secondViewName } from './copyAttempt.ts';
import { chTable } from './identifiers.ts';
import type { Lsn } from './lsn.ts';
import { versionOf } from './lsn.ts';
import { VERSION_COLUMN } from './typeMapping.ts';

/** A resync's own tables, beside the target that one of them is to replace. */
export interface ResyncObjects {
  database: string;
  target: string;
  /** Name of the table that is filled. */
  staging: string;
  /** The SELECT of the target's landing view: what lands is converted by the same words on every way. */
  select: string;
  /** The version of the copied rows: changes below it are in the copy. */
  lsn: Lsn;
}

/**
 * The statements that create the staging table, just like the target as it is now, and let what lands from now on reach it
 * as well. Changes that are older than the copy are left out: one that is delivered again might bring a row back whose
 * deletion is not.
 */
export function stagingStatements(objects: ResyncObjects): string[] {
  return mirror(objects, objects.staging);
}

/**
 * The statements that keep what lands around the swap. A batch that is being inserted then may have looked up the target
 * before the swap and the staging table after it, and would be in the old rows only.
 */
export function lateStatements(objects: ResyncObjects): string[] {
  return mirror(objects, lateName(objects.staging));
}

/** The statement that adds what was late to the target; done again, rows fall onto themselves. */
export function addLate({ database, target, staging }: Omit<ResyncObjects, 'select' | 'lsn'>): string {
  const [into, late] = [target, lateName(staging)].map((name) => chTable({ database, name }));
  return `INSERT INTO ${into} SELECT * FROM ${late}`;
}

function mirror({ database, target, select, lsn }: ResyncObjects, name: string): string[] {
  const quoted = (each: string) => chTable({ database, name: each });
  const since = versionOf({ lsn, offset: 0n });
  return [
    `CREATE TABLE ${quoted(name)} AS ${quoted(target)}`,
    `CREATE MATERIALIZED VIEW ${quoted(secondViewName(name))} TO ${quoted(name)} AS ` +
      `SELECT * FROM (${select}) WHERE ${VERSION_COLUMN} >= toUInt128('${since}')`,
  ];
}
