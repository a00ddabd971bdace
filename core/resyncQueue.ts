import type { ResyncDone, ResyncResult, ResyncStatus } from './activityTypes.ts';
import type { Failure } from './failures.ts';

/** What there is to remember of resyncs, as JSON. */
export interface ResyncState {
  /** The ticket given last. */
  tickets: number;
  /** In the order in which they are made; at most one a table, and one more that waits behind a running one. */
  queue: ResyncStatus[];
  done: ResyncDone[];
}

export const NO_RESYNCS: ResyncState = { tickets: 0, queue: [], done: [] };

/**
 * The resyncs of one pipeline, one after the other. One that is asked for while another of the same table waits is that
 * one; while it runs, it is made once more after it, for it may have copied already what has just gone wrong. Those that
 * the stream needs, since a table was added or rewritten, are one with what runs.
 */
export class ResyncQueue {
  readonly #state: ResyncState;

  /** @param state is changed in place. */
  constructor(state: ResyncState) {
    this.#state = state;
  }

  /** @returns the ticket under which the resync is found again. */
  request(table: string, { reason, now }: { reason: string; now: string }): number {
    const waiting = this.#find(table, 'waiting');
    if (waiting) return waiting.ticket;
    this.#remove(table, 'failed');
    const ticket = ++this.#state.tickets;
    this.#state.queue.push({ table, ticket, state: 'waiting', reason, since: now });
    return ticket;
  }

  /** @param needed what the stream needs; a failure of before is tried again. */
  need(needed: readonly { table: string; reason: string }[], now: string): void {
    for (const { table, reason } of needed) {
      if (!this.#find(table, 'running')) this.request(table, { reason: sentence(table, reason), now });
    }
  }

  /** The next one to be made; null while one runs, or when there is none. */
  get next(): string | null {
    if (this.running !== null) return null;
    return this.#state.queue.find(({ state }) => state === 'waiting')?.table ?? null;
  }

  /** The table that is being loaded. */
  get running(): string | null {
    return this.#state.queue.find(({ state }) => state === 'running')?.table ?? null;
  }

  started(table: string, now: string): void {
    const next = this.#find(table, 'waiting');
    if (next) Object.assign(next, { state: 'running', since: now });
  }

  finished(result: ResyncResult, now: string): void {
    const ended = this.#remove(result.table, 'running');
    const others = this.#state.done.filter(({ table }) => table !== result.table);
    this.#state.done = [...others, { ...result, ticket: ended?.ticket ?? 0, at: now }];
  }

  /** Something else had to come first: it is made again, unless one waits already. */
  interrupted(table: string, now: string): void {
    const ended = this.#remove(table, 'running');
    const waiting = this.#find(table, 'waiting');
    if (ended && !waiting) this.#state.queue.unshift({ ...ended, state: 'waiting', since: now });
  }

  failed(table: string, { message }: Failure, now: string): void {
    const ended = this.#remove(table, 'running');
    if (ended && !this.#find(table, 'waiting')) {
      this.#state.queue.push({ ...ended, state: 'failed', reason: message, since: now });
    }
  }

  /** Tries again what has failed. */
  retry(now: string): void {
    for (const each of this.#state.queue)
      if (each.state === 'failed') Object.assign(each, { state: 'waiting', since: now });
  }

  /** Forgets what is not wanted any more: after a snapshot of all, or of tables that have been removed. */
  keepOnly(tables: readonly string[]): void {
    this.#state.queue = this.#state.queue.filter(({ table }) => tables.includes(table));
    this.#state.done = this.#state.done.filter(({ table }) => tables.includes(table));
  }

  /** After a snapshot, which has loaded every table. */
  clear(): void {
    this.#state.queue = [];
  }

  #find(table: string, state: ResyncStatus['state']): ResyncStatus | undefined {
    return this.#state.queue.find((each) => each.table === table && each.state === state);
  }

  #remove(table: string, state: ResyncStatus['state']): ResyncStatus | undefined {
    const found = this.#find(table, state);
    this.#state.queue = this.#state.queue.filter((each) => each !== found);
    return found;
  }
}

function sentence(table: string, reason: string): string {
  return `${table} is loaded: ${reason}.`;
}
