import type { StreamProgress } from '../core/activityTypes.ts';
import { sourceMarks } from '../core/envelope.ts';
import { formatLsn } from '../core/lsn.ts';
import { partitionKey } from '../core/partitions.ts';
import { lastLine, type MessageBatch } from '../core/streamBuffer.ts';
import { RateWindow } from './rateWindow.ts';

interface TableProgress {
  messages: number;
  rate: RateWindow;
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
        ...{ messages: 0, rate: new RateWindow(), lastCommitMs: null, lagMs: null, lastLsn: null, deadLetters: 0 },
      });
    }
  }

  /** @param sentMs when the last message was sent, where it says nothing of a source itself. */
  landed(table: string, batch: MessageBatch, sentMs: number | null = null): void {
    const progress = this.#tables.get(table)!;
    const now = Date.now();
    progress.messages += batch.rows;
    progress.rate.add(batch.rows);
    const line = lastLine(batch);
    const marks = line && sourceMarks(line);
    const commitMs = sentMs ?? marks?.commitMs;
    if (commitMs != null) {
      progress.lastCommitMs = commitMs;
      progress.lagMs = Math.max(0, now - commitMs);
    }
    if (marks?.lsn != null) progress.lastLsn = formatLsn(marks.lsn);
  }

  /** ClickHouse has taken messages in by itself. @param waitingMs how long what it has not may have waited. */
  takenIn(table: string, { messages, waitingMs }: { messages: number; waitingMs: number }): void {
    const progress = this.#tables.get(table)!;
    progress.messages += messages;
    progress.rate.add(messages);
    progress.lagMs = waitingMs;
  }

  setAside(table: string, messages: number): void {
    this.#tables.get(table)!.deadLetters += messages;
  }

  committed(topic: string, next: ReadonlyMap<number, bigint>): void {
    for (const [partition, offset] of next) this.#offsets.set(partitionKey(topic, partition), offset);
  }

  /** The offset of the next message to land of a partition, by `topic:partition`. */
  next(partition: string): bigint {
    return this.#offsets.get(partition) ?? 0n;
  }

  /** @param problem one sentence, or null when the table lands again. */
  trouble(table: string, problem: string | null): void {
    if (problem === null) this.#problems.delete(table);
    else this.#problems.set(table, problem);
  }

  snapshot(): StreamProgress {
    const tables = [...this.#tables].map(([table, progress]): [string, StreamProgress['tables'][string]] => [
      table,
      { ...progress, rate: progress.rate.rate },
    ]);
    return {
      tables: Object.fromEntries(tables),
      offsets: Object.fromEntries([...this.#offsets].map(([partition, offset]) => [partition, String(offset)])),
      problem: [...this.#problems].map(([table, problem]) => `${table}: ${problem}`).join(' ') || null,
      startedAt: this.#startedAt.toISOString(),
    };
  }
}
