import { partitionKey } from '../adapters/kafka.ts';
import type { StreamProgress } from '../core/activityTypes.ts';
import { sourceMarks } from '../core/envelope.ts';
import { formatLsn } from '../core/lsn.ts';
import { lastLine, type MessageBatch } from '../core/streamBuffer.ts';

const RATE_WINDOW_MS = 10_000;

interface TableProgress {
  messages: number;
  /** What landed within the rate's window, oldest first. */
  recent: { at: number; messages: number }[];
  lastCommitMs: number | null;
  lagMs: number | null;
  lastLsn: string | null;
  deadLetters: number;
}

/** Keeps the figures that the stream's heartbeats carry. */
export class ProgressKeeper {
  readonly #startedAt = new Date();
  readonly #tables = new Map<string, TableProgress>();
  readonly #offsets = new Map<string, bigint>();
  readonly #problems = new Map<string, string>();

  constructor(tables: readonly string[]) {
    for (const table of tables) {
      this.#tables.set(table, {
        ...{ messages: 0, recent: [], lastCommitMs: null, lagMs: null, lastLsn: null, deadLetters: 0 },
      });
    }
  }

  /** @param sentMs when the last message was sent, where it says nothing of a source itself. */
  landed(table: string, batch: MessageBatch, sentMs: number | null = null): void {
    const progress = this.#tables.get(table)!;
    const now = Date.now();
    progress.messages += batch.rows;
    progress.recent.push({ at: now, messages: batch.rows });
    forgetOld(progress, now);
    const line = lastLine(batch);
    const marks = line && sourceMarks(line);
    const commitMs = sentMs ?? marks?.commitMs;
    if (commitMs != null) {
      progress.lastCommitMs = commitMs;
      progress.lagMs = Math.max(0, now - commitMs);
    }
    if (marks?.lsn != null) progress.lastLsn = formatLsn(marks.lsn);
  }

  setAside(table: string, messages: number): void {
    this.#tables.get(table)!.deadLetters += messages;
  }

  committed(topic: string, next: ReadonlyMap<number, bigint>): void {
    for (const [partition, offset] of next) this.#offsets.set(partitionKey(topic, partition), offset);
  }

  /** @param problem one sentence, or null when the table lands again. */
  trouble(table: string, problem: string | null): void {
    if (problem === null) this.#problems.delete(table);
    else this.#problems.set(table, problem);
  }

  snapshot(): StreamProgress {
    const now = Date.now();
    const seconds = Math.min(RATE_WINDOW_MS, Math.max(1000, now - this.#startedAt.getTime())) / 1000;
    const tables = [...this.#tables].map(([table, progress]): [string, StreamProgress['tables'][string]] => {
      forgetOld(progress, now);
      const { recent, ...figures } = progress;
      const landedLately = recent.reduce((sum, each) => sum + each.messages, 0);
      return [table, { ...figures, rate: Math.round(landedLately / seconds) }];
    });
    return {
      tables: Object.fromEntries(tables),
      offsets: Object.fromEntries([...this.#offsets].map(([partition, offset]) => [partition, String(offset)])),
      problem: [...this.#problems].map(([table, problem]) => `${table}: ${problem}`).join(' ') || null,
      startedAt: this.#startedAt.toISOString(),
    };
  }
}

function forgetOld(progress: TableProgress, now: number): void {
  const kept = progress.recent.findIndex(({ at }) => at > now - RATE_WINDOW_MS);
  if (kept !== 0) progress.recent.splice(0, kept < 0 ? progress.recent.length : kept);
}
