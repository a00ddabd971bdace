import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { TidegateError } from '../core/errors.ts';
import { type Lsn, parseLsn } from '../core/lsn.ts';
import { connectPostgres } from './postgres.ts';
import { guarded, sourceError } from './postgresCopyErrors.ts';

/** What pg_replication_slots says about a logical slot of the session's database. */
export interface SlotState {
  active: boolean;
  confirmedFlushLsn: Lsn;
  /** reserved, extended, unreserved or lost. */
  walStatus: string;
}

/** A new slot, and the connection that keeps the snapshot it exported open. */
export interface ExportedSlot {
  /** The LSN at which the slot begins: everything committed before is in the snapshot, everything after is streamed. */
  consistentPoint: Lsn;
  /** For SET TRANSACTION SNAPSHOT, while the connection is open. */
  snapshot: string;
  close(): Promise<void>;
}

/** SQLSTATE of dropping a slot that is active. */
const OBJECT_IN_USE = '55006';

/** How long a walsender may take to let go of its slot after it was told to end. */
const RELEASE_MS = 15_000;

const POLL_MS = 200;
const HEARTBEAT_MS = 1000;

async function rowsOf<T extends pg.QueryResultRow>(
  session: pg.Client,
  sql: string,
  values: unknown[] = [],
): Promise<T[]> {
  return (await guarded(() => session.query<T>(sql, values))).rows;
}

/*
 * The functions below throw what sourceError makes of PostgreSQL's errors.
 */

/** Null when the session's database has no such logical slot. */
export async function readSlot(session: pg.Client, slot: string): Promise<SlotState | null> {
  const [found] = await rowsOf<{ active: boolean; confirmed: string; walStatus: string | null }>(
    session,
    `SELECT active, confirmed_flush_lsn::text AS confirmed, wal_status AS "walStatus" FROM pg_replication_slots
     WHERE slot_name = $1 AND database = current_database() AND slot_type = 'logical' AND confirmed_flush_lsn IS NOT NULL`,
    [slot],
  );
  if (!found) return null;
  return {
    active: found.active,
    confirmedFlushLsn: parseLsn(found.confirmed),
    walStatus: found.walStatus ?? 'lost',
  };
}

/**
 * Creates a logical slot and exports the snapshot of its starting point. PostgreSQL first waits for the transactions that
 * are running. `signal` breaks that off, and PostgreSQL then takes the unfinished slot back.
 */
export async function createExportingSlot(options: {
  url: URL;
  slot: string;
  applicationName: string;
  signal: AbortSignal;
}): Promise<ExportedSlot> {
  const { url, slot, applicationName, signal } = options;
  const connection = await connectPostgres(url, { applicationName, replication: true });
  let breakOff = () => {};
  try {
    await connection.query('SET idle_in_transaction_session_timeout = 0; SET statement_timeout = 0');
    const { rows: sessions } = await connection.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    // A walsender that waits does not notice that its client has gone, so it is told.
    breakOff = () => void terminate(url, sessions[0]!.pid).finally(() => connection.end());
    signal.addEventListener('abort', breakOff);
    signal.throwIfAborted();
    const { rows } = await connection.query<{ consistent_point: string; snapshot_name: string }>(
      `CREATE_REPLICATION_SLOT "${slot}" LOGICAL pgoutput (SNAPSHOT 'export')`,
    );
    const [created] = rows;
    return {
      consistentPoint: parseLsn(created!.consistent_point),
      snapshot: created!.snapshot_name,
      close: () => connection.end(),
    };
  } catch (error) {
    await connection.end();
    signal.throwIfAborted();
    throw sourceError(error);
  } finally {
    signal.removeEventListener('abort', breakOff);
  }
}

/** As far as the server can be reached: where it cannot, its session has ended as well. */
async function terminate(url: URL, pid: number): Promise<void> {
  const session = await connectPostgres(url, { applicationName: 'tidegate' }).catch(() => null);
  await session?.query('SELECT pg_terminate_backend($1)', [pid]).catch(() => {});
  await session?.end();
}

/**
 * Drops the slot; nothing happens when there is none. A walsender that holds it is ended first, for which the session's
 * role must be the walsender's.
 */
export async function dropSlot(session: pg.Client, slot: string): Promise<void> {
  const deadline = Date.now() + RELEASE_MS;
  for (;;) {
    const sql = 'SELECT active_pid AS pid FROM pg_replication_slots WHERE slot_name = $1';
    const [found] = await rowsOf<{ pid: number | null }>(session, sql, [slot]);
    if (!found) return;
    try {
      if (found.pid !== null) await session.query('SELECT pg_terminate_backend($1)', [found.pid]);
      else await session.query('SELECT pg_drop_replication_slot($1)', [slot]);
    } catch (error) {
      // A walsender may have taken it in between.
      if ((error as { code?: string }).code !== OBJECT_IN_USE) throw sourceError(error);
    }
    if (Date.now() > deadline) {
      throw new TidegateError('ALREADY_RUNNING', `replication slot '${slot}' is held by process ${found.pid}`, {
        remedy: 'Something else replicates from this slot: stop it, or give the pipeline another slot.',
      });
    }
    if (found.pid !== null) await sleep(100);
  }
}

/** Ends the other sessions of this role that carry the application name: those of an attempt that is no longer wanted. */
export async function endSessions(session: pg.Client, applicationName: string): Promise<void> {
  await rowsOf(
    session,
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE application_name = left($1, 63) AND usename = current_user AND pid <> pg_backend_pid()`,
    [applicationName],
  );
}

/** Where the next change will be written. */
export async function currentInsertLsn(session: pg.Client): Promise<Lsn> {
  const [current] = await rowsOf<{ lsn: string }>(session, 'SELECT pg_current_wal_insert_lsn()::text AS lsn');
  return parseLsn(current!.lsn);
}

/**
 * Waits until every transaction that had changed anything before the call has ended, so that none of them can commit
 * after a snapshot that is taken then. An open one is waited for, as CREATE_REPLICATION_SLOT does, but no slot is needed.
 */
export async function waitForOlderTransactions(session: pg.Client, signal: AbortSignal): Promise<void> {
  const [own] = await rowsOf<{ xid: string }>(session, 'SELECT pg_current_xact_id()::text AS xid');
  const ended = 'SELECT pg_snapshot_xmin(pg_current_snapshot()) > $1::xid8 AS ended';
  while (!(await rowsOf<{ ended: boolean }>(session, ended, [own!.xid]))[0]!.ended) {
    await sleep(POLL_MS, undefined, { signal });
  }
}

/** Which database of which cluster a session is connected to; another cluster with the same name differs. */
export async function sourceIdentity(session: pg.Client): Promise<string> {
  const [system] = await rowsOf<{ identity: string }>(
    session,
    "SELECT system_identifier || '/' || current_database() AS identity FROM pg_control_system()",
  );
  return system!.identity;
}

/**
 * An idle slot moves on with the connector's heartbeat; this gives it something to move on to.
 * @returns writes a message into the WAL that only says that something is there, once a second at most.
 */
export function heartbeats(session: pg.Client): () => Promise<void> {
  let emittedAt = Number.NEGATIVE_INFINITY;
  return async () => {
    if (performance.now() - emittedAt <= HEARTBEAT_MS) return;
    await rowsOf(session, "SELECT pg_logical_emit_message(true, 'tidegate', '')");
    emittedAt = performance.now();
  };
}

/**
 * Refuses to go on when the session has been ended: by the server, or by a later attempt that takes over.
 * @throws TidegateError SERVICE_UNREACHABLE.
 */
export async function requireAlive(session: pg.Client): Promise<void> {
  await rowsOf(session, 'SELECT 1');
}
