import type pg from 'pg';
import type { ClickHouse } from '../adapters/clickhouse.ts';
import { readHeaps } from '../adapters/postgresPages.ts';
import type { VerifyProgress, VerifyScan } from '../core/activityTypes.ts';
import type { VerifySql } from '../core/canonical.ts';
import type { SourceTable } from '../core/catalog.ts';
import { CopyTally } from '../core/copyTally.ts';
import { inPages } from '../core/ctidRanges.ts';
import { type ScratchSql, SOURCE, TARGET } from '../core/verifyScratch.ts';
import { copyPart } from './copyTable.ts';

/** 16 MiB: what is read by one statement, so that none holds the source up for long. */
const PAGES_PER_PART = 2048;

/** Splits a table into parts that are read one after the other. */
export async function planScan(
  session: pg.Client,
  source: SourceTable,
): Promise<Pick<VerifyScan, 'pagesPerPart' | 'parts' | 'done'>> {
  const heaps = await readHeaps(session, source);
  if (heaps === null) return { pagesPerPart: null, parts: 1, done: 0 };
  const pagesPerPart = Math.max(1, Math.floor(PAGES_PER_PART / Math.max(1, heaps.heaps)));
  return { pagesPerPart, parts: Math.max(1, Math.ceil(heaps.pages / pagesPerPart)), done: 0 };
}

export interface Scanned {
  session: pg.Client;
  clickhouse: ClickHouse;
  label: string;
  sql: VerifySql;
  scratch: ScratchSql;
  progress: VerifyProgress;
  signal: AbortSignal;
}

/**
 * Brings key and hash of every row of the source into the scratch table. Of a table that is written meanwhile, rows may be
 * missed or met twice: each statement sees the rows as they are then, so that none keeps PostgreSQL from cleaning up.
 */
export async function scanSource(scanned: Scanned, scan: VerifyScan): Promise<void> {
  const { session, clickhouse, label, sql, scratch, progress, signal } = scanned;
  for (; scan.done < scan.parts; scan.done += 1) {
    const tally = new CopyTally(progress.startedAt);
    tally.expect(label, { parts: 1, estimatedRows: -1 });
    const { key, hash, rows } = sql.postgres;
    const select = `SELECT ${key}, ${hash}, ${SOURCE}, ${scan.done} FROM ${rows}${pagesOf(scan)}`;
    const columns = ['key', 'hash', 'side', 'part'];
    await copyPart({
      ...{ session, clickhouse, tally, signal },
      part: { table: label, select, landing: scratch.scratch, columns },
    });
    progress.rows += tally.of(label).rows;
  }
}

function pagesOf({ pagesPerPart, parts, done }: VerifyScan): string {
  if (pagesPerPart === null || parts === 1) return '';
  // The last part has no end, for the table may grow.
  const toPage = done === parts - 1 ? null : (done + 1) * pagesPerPart;
  return ` WHERE ${inPages({ fromPage: done * pagesPerPart, toPage })}`;
}

/** Takes away what an attempt that died brought after it had last said how far it was. */
export async function keepDoneParts(clickhouse: ClickHouse, scratch: ScratchSql, scan: VerifyScan): Promise<number> {
  const settings = { mutations_sync: 2 };
  const beyond = `side = ${TARGET} OR part >= ${scan.done}`;
  await clickhouse.command(`ALTER TABLE ${scratch.scratch} DELETE WHERE ${beyond}`, { settings });
  await clickhouse.command(`TRUNCATE TABLE ${scratch.keys}`);
  const [kept] = await clickhouse.rows<{ rows: string }>(`SELECT count() AS rows FROM ${scratch.scratch}`);
  return Number(kept!.rows);
}
