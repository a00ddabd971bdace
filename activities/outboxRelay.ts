import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import type { Environment } from '../adapters/environment.ts';
import { OrderedProducer } from '../adapters/kafkaProducer.ts';
import { connectPostgres } from '../adapters/postgres.ts';
import type { RelayProgress } from '../core/activityTypes.ts';
import { insertRetryMs } from '../core/batching.ts';
import type { PipelineOutbox } from '../core/definitionOutbox.ts';
import { messageOf, TidegateError } from '../core/errors.ts';
import { countSql, idTypeSql, markSql, nextRowsSql, type OutboxRow, takeSql } from '../core/outboxSql.ts';
import { RateWindow } from './rateWindow.ts';

/** What a caller may put in its own way, for tests of what a crash there does. */
export interface RelaySeams {
  /** Runs between the acknowledgement of a batch and its marks. */
  beforeMark?: (rows: readonly OutboxRow[]) => Promise<void>;
}

/** How often an outbox without unsent rows is looked into. */
const IDLE_MS = 100;
/** How often a relay asks whether it may take the place of another. */
const STANDBY_MS = 500;
/** Counting reads the whole outbox: at most so often, and for at most a twentieth of the time. */
const COUNT_MS = 5000;
const COUNT_SHARE = 20;
/** Brokers answer within milliseconds; a client waits for those that do not, and tries again, for minutes. */
const SLOW_MS = 5000;
/** A batch that is under way when the relay is to stop is waited for so long; after that it is sent again later. */
const STOP_PATIENCE_MS = 5000;

/**
 * A session belongs to the outbox alone and may be slow, but not hang: with a peer that has vanished, the server would hold
 * the outbox for hours. A mark that a crash of the server forgets is made again, so no commit needs to wait for the disk.
 */
const SESSION_SQL =
  'SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3; SET synchronous_commit = off';

type OutboxProgress = RelayProgress['outboxes'][string];

/**
 * Sends the rows of one outbox in order and marks them after the brokers have acknowledged them. Only the session that
 * holds the outbox's advisory lock sends, and it marks on that same session; so another relay begins behind all that were
 * marked. What was sent and not marked goes out again; the first message of each id still stands in order, since both
 * relays sent the same rows in the same order.
 */
export class OutboxRelay {
  readonly label: string;
  readonly #environment: Environment;
  readonly #pipeline: string;
  readonly #outbox: PipelineOutbox;
  readonly #seams: RelaySeams;
  readonly #rate = new RateWindow();
  readonly #progress: Omit<OutboxProgress, 'rate'> = { relayed: 0, rows: null, lastSentAt: null, problem: null };
  #failures = 0;
  #countDue = 0;

  constructor(environment: Environment, options: { pipeline: string; outbox: PipelineOutbox; seams: RelaySeams }) {
    this.label = options.outbox.label;
    this.#environment = environment;
    this.#pipeline = options.pipeline;
    this.#outbox = options.outbox;
    this.#seams = options.seams;
  }

  get progress(): OutboxProgress {
    return { ...this.#progress, rate: this.#rate.rate };
  }

  /**
   * Relays until `stopping` is aborted; then ends with what it was sending marked, if the brokers answer soon.
   * @throws TidegateError that no other try would cure.
   */
  async run(stopping: AbortSignal): Promise<void> {
    while (!stopping.aborted) {
      try {
        await this.#session(stopping);
      } catch (error) {
        if (stopping.aborted) return;
        const failure = this.#typed(error);
        if (failure instanceof TidegateError && !failure.retryable) throw failure;
        this.#failures += 1;
        this.#progress.problem = `Relaying has failed ${this.#failures} time(s) and is tried again: ${messageOf(failure)}`;
        await sleep(insertRetryMs(this.#failures), undefined, { signal: stopping }).catch(() => undefined);
      }
    }
  }

  async #session(stopping: AbortSignal): Promise<void> {
    const url = this.#environment.url(this.#outbox.url);
    const session = await connectPostgres(url, { applicationName: `tidegate outbox ${this.#pipeline}` });
    try {
      await session.query(SESSION_SQL);
      const [found] = (await session.query<{ type: string }>(idTypeSql(this.#outbox))).rows;
      if (!found)
        throw notReady(this.#pipeline, `the source has no table ${this.label} with a column ${this.#outbox.id}`);
      if (!(await this.#take(session, stopping))) return;
      await using producer = await OrderedProducer.connect(this.#environment, this.#outbox.topic);
      await this.#relay({ session, producer, mark: markSql(this.#outbox, found.type) }, stopping);
    } finally {
      await session.end().catch(() => undefined);
    }
  }

  /** Waits until this session holds the outbox; false when the relay is to stop. */
  async #take(session: pg.Client, stopping: AbortSignal): Promise<boolean> {
    while (!stopping.aborted) {
      const { rows } = await session.query<{ taken: boolean }>(takeSql(this.#outbox));
      if (rows[0]!.taken) return true;
      this.#progress.problem = 'Another relay sends this outbox; this one takes over when that ends.';
      await sleep(STANDBY_MS, undefined, { signal: stopping }).catch(() => undefined);
    }
    return false;
  }

  async #relay(
    { session, producer, mark }: { session: pg.Client; producer: OrderedProducer; mark: string },
    stopping: AbortSignal,
  ): Promise<void> {
    const nextRows = nextRowsSql(this.#outbox);
    const pause = (ms: number) => sleep(ms, undefined, { signal: stopping }).catch(() => undefined);
    while (!stopping.aborted) {
      await this.#count(session);
      const { rows } = await session.query<OutboxRow>(nextRows);
      if (rows.length > 0) {
        await this.#send(producer, rows, stopping);
        await this.#seams.beforeMark?.(rows);
        await session.query(mark, [rows.map(({ id }) => id)]);
        this.#relayed(rows.length);
      }
      this.#failures = 0;
      this.#progress.problem = null;
      if (rows.length === 0) await pause(IDLE_MS);
      else if (this.#outbox.pauseMs > 0) await pause(this.#outbox.pauseMs);
    }
  }

  async #send(producer: OrderedProducer, rows: readonly OutboxRow[], stopping: AbortSignal): Promise<void> {
    const slow = setTimeout(() => {
      this.#progress.problem = `The brokers have not acknowledged a batch within ${SLOW_MS / 1000} s; it is still being tried.`;
    }, SLOW_MS);
    try {
      const name = ({ id }: OutboxRow) => `the row with ${this.#outbox.id} ${id}`;
      await withPatience(stopping, producer.send(rows, name));
    } finally {
      clearTimeout(slow);
    }
  }

  #relayed(rows: number): void {
    this.#rate.add(rows);
    this.#progress.relayed += rows;
    this.#progress.lastSentAt = new Date().toISOString();
    const counted = this.#progress.rows;
    // Rows that came after the count are not known to it.
    if (counted) this.#progress.rows = { sent: counted.sent + rows, unsent: Math.max(0, counted.unsent - rows) };
  }

  async #count(session: pg.Client): Promise<void> {
    const began = performance.now();
    if (began < this.#countDue) return;
    const { rows } = await session.query<{ sent: string; unsent: string }>(countSql(this.#outbox));
    const ended = performance.now();
    this.#progress.rows = { sent: Number(rows[0]!.sent), unsent: Number(rows[0]!.unsent) };
    this.#countDue = ended + Math.max(COUNT_MS, COUNT_SHARE * (ended - began));
  }

  /** The catalogue's error for what PostgreSQL refuses whenever it is asked; all else passes as it is. */
  #typed(error: unknown): unknown {
    const code = error instanceof TidegateError ? '' : String((error as { code?: unknown }).code ?? '');
    // 22: values that cannot be sent. 42: names that are not there, or that the role may not use.
    return /^(22|42)...$/.test(code)
      ? notReady(this.#pipeline, `PostgreSQL refuses to relay ${this.label}: ${messageOf(error)}`, error)
      : error;
  }
}

function notReady(pipeline: string, what: string, cause?: unknown): TidegateError {
  return new TidegateError('SOURCE_NOT_READY', what, {
    remedy: `Run 'npx tidegate plan ${pipeline}', which says what mends it; then resume the relay.`,
    cause,
  });
}

/** Waits for work, but not for long once it is to stop. */
async function withPatience(stopping: AbortSignal, work: Promise<void>): Promise<void> {
  const ended = new AbortController();
  const givenUp = async () => {
    await new Promise<void>((resolve) => {
      if (stopping.aborted) resolve();
      stopping.addEventListener('abort', () => resolve(), { once: true, signal: ended.signal });
    });
    await sleep(STOP_PATIENCE_MS, undefined, { signal: ended.signal });
    throw new Error('stopped while a batch was being sent');
  };
  const stopped = givenUp();
  stopped.catch(() => undefined);
  try {
    await Promise.race([work, stopped]);
  } finally {
    ended.abort();
    work.catch(() => undefined);
  }
}
