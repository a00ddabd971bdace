import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { TidegateError } from '../core/errors.ts';
import type { OpenSession, RowChanges, TrafficOptions, TrafficProgress } from './generator.ts';

/** What a system's traffic consists of. */
export interface TrafficWork<State> {
  /** Reads what the transactions choose from; again after each reconnection. */
  begin(client: pg.Client): Promise<State>;
  /** One transaction, committed when it returns. */
  transaction(client: pg.Client, state: State): Promise<RowChanges>;
}

const DEFAULT_RATE = 20;
const REPORT_MS = 1000;
const RECONNECT_MS = 500;
/** A session that fell further behind its rate than this goes on from now instead of catching up in one burst. */
const LATEST_START_MS = 1000;
/** SQLSTATE of what passes by itself: serialization failure and deadlock. */
const PASSING = new Set(['40001', '40P01']);

/**
 * Runs transactions at an even rate on one session until the signal is aborted; a transaction under way at that moment
 * is broken off. When PostgreSQL goes away it says so once and tries again.
 */
export async function runTraffic<State>(options: TrafficOptions, work: TrafficWork<State>): Promise<TrafficProgress> {
  const progress: TrafficProgress = { transactions: 0, inserted: 0, updated: 0, deleted: 0, connected: false };
  const report = (): void => options.onProgress?.({ ...progress });
  const { signal } = options;
  while (!signal.aborted) {
    try {
      await runSession(options, work, { progress, report });
    } catch (error) {
      if (signal.aborted) break;
      if (!passes(error)) throw error;
    }
    if (progress.connected) {
      progress.connected = false;
      report();
    }
    await sleep(RECONNECT_MS, undefined, { signal }).catch(() => undefined);
  }
  return { ...progress, connected: false };
}

async function runSession<State>(
  options: TrafficOptions,
  work: TrafficWork<State>,
  { progress, report }: { progress: TrafficProgress; report: () => void },
): Promise<void> {
  const { signal } = options;
  const client = await openUnless(signal, options.open, options.url);
  // Ending a client that is busy breaks its connection, so nothing is waited for.
  const breakOff = (): void => void client.end();
  signal.addEventListener('abort', breakOff, { once: true });
  try {
    const state = await work.begin(client);
    progress.connected = true;
    report();
    const gap = 1000 / (options.ratePerSecond ?? DEFAULT_RATE);
    let due = performance.now();
    let reportDue = due + REPORT_MS;
    while (!signal.aborted) {
      const now = performance.now();
      if (now < due) await sleep(due - now, undefined, { signal });
      due = Math.max(due + gap, now - LATEST_START_MS);
      await runOne(client, () => work.transaction(client, state), progress);
      if (performance.now() >= reportDue) {
        report();
        reportDue = performance.now() + REPORT_MS;
      }
    }
  } finally {
    signal.removeEventListener('abort', breakOff);
    await client.end().catch(() => undefined);
  }
}

async function runOne(
  client: pg.Client,
  transaction: () => Promise<RowChanges>,
  progress: TrafficProgress,
): Promise<void> {
  try {
    const changes = await transaction();
    progress.transactions++;
    progress.inserted += changes.inserted;
    progress.updated += changes.updated;
    progress.deleted += changes.deleted;
  } catch (error) {
    if (!PASSING.has(codeOf(error))) throw error;
    await client.query('ROLLBACK');
  }
}

/** Connects, but returns as soon as the signal is aborted; a session that comes too late is ended. */
async function openUnless(signal: AbortSignal, open: OpenSession, url: URL): Promise<pg.Client> {
  const opening = open(url);
  const aborted = Promise.withResolvers<never>();
  const giveUp = (): void => {
    opening.then((client) => client.end()).catch(() => undefined);
    aborted.reject(signal.reason);
  };
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    return await Promise.race([opening, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}

/** True when the connection is at fault, and not what was asked: then another one helps. */
function passes(error: unknown): boolean {
  if (error instanceof TidegateError) return error.retryable;
  // 08: connection exceptions. 53: out of connections, memory or disk. 57P: shut down, crashed or starting up.
  if (/^(08|53|57P|ECONN|EPIPE|ETIMEDOUT)/.test(codeOf(error))) return true;
  // What the client itself says when its connection has broken carries no code.
  return (
    error instanceof Error && /^(Connection terminated|Client has encountered a connection error)/.test(error.message)
  );
}

function codeOf(error: unknown): string {
  return String((error as { code?: unknown }).code ?? '');
}
