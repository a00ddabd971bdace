import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { endOffsets, type Offsets, openKafka } from '../adapters/kafka.ts';
import { currentInsertLsn, heartbeats, readSlot } from '../adapters/replication.ts';
import { Temporal } from '../adapters/temporal.ts';
import { type Pipeline, streamTables } from '../core/definition.ts';
import { TidegateError } from '../core/errors.ts';
import { eventLanes } from '../core/lanes.ts';
import type { Lsn } from '../core/lsn.ts';
import { topicOf } from '../core/names.ts';
import { waitingMessages } from '../core/partitions.ts';
import type { ActivityDeps } from './deps.ts';
import { landedOffsets } from './kafkaEngine.ts';

export const POLL_MS = 200;
/** A stream may be paused while it is waited for. */
export const ASK_MS = 5000;
/** Without any progress for so long, nothing is to be waited for. */
export const PATIENCE_MS = 60_000;

/**
 * Waits until everything that was committed at the source before the call has landed: the slot is confirmed up to the
 * present LSN, so it is in Kafka; then what is in Kafka has been committed by the stream. A pipeline without stream
 * tables has nothing to wait for.
 * @param options.patienceMs how long neither may move before that is an error.
 * @param options.aside labels of tables that are not waited for; default: none.
 * @returns the LSN that the target has reached.
 * @throws TidegateError SLOT_LOST; CONNECTOR_FAILED when the slot stands still; STREAM_PAUSED when messages wait for a
 * stream that is paused, NOT_STARTED when they wait for another reason.
 */
export async function waitForWatermark(
  deps: ActivityDeps,
  options: {
    pipeline: Pipeline;
    session: pg.Client;
    signal: AbortSignal;
    patienceMs?: number;
    aside?: ReadonlySet<string>;
  },
): Promise<Lsn> {
  const { pipeline, session, aside } = options;
  const lsn = await currentInsertLsn(session);
  const tables = streamTables(pipeline).filter(({ label }) => !aside?.has(label));
  const topics = tables.map((table) => topicOf(pipeline, table));
  if (topics.length === 0) return lsn;
  const wait = { patienceMs: PATIENCE_MS, ...options };
  await waitForSlot(wait, lsn);
  await waitForStream(deps, { ...wait, topics });
  return lsn;
}

/** How far event topics have landed. */
export interface EventWatermark {
  /** Everything that was in the topics at this time has landed; ISO 8601. */
  at: string;
  /** The offsets that followed the last messages then, by `topic:partition`: rows at or beyond them came later. */
  offsets: Record<string, string>;
}

/**
 * Waits until everything that is in a pipeline's event topics now has landed.
 * @param options.events labels of the topics; default: all.
 * @param options.patienceMs how long the stream may stand still before that is an error.
 * @throws TidegateError NOT_STARTED when the stream stands still.
 */
export async function waitForEvents(
  deps: ActivityDeps,
  options: { pipeline: Pipeline; events?: readonly string[]; signal: AbortSignal; patienceMs?: number },
): Promise<EventWatermark> {
  const { pipeline, events, signal, patienceMs = PATIENCE_MS } = options;
  const lanes = eventLanes(pipeline).filter(({ label }) => events?.includes(label) ?? true);
  const topics = lanes.map(({ topic }) => topic);
  const at = new Date().toISOString();
  const ends = topics.length > 0 ? await waitForStream(deps, { pipeline, signal, patienceMs, topics }) : new Map();
  return { at, offsets: Object.fromEntries([...ends].map(([partition, end]) => [partition, String(end)])) };
}

interface Wait {
  pipeline: Pipeline;
  session: pg.Client;
  signal: AbortSignal;
  patienceMs: number;
}

async function waitForSlot({ pipeline, session, signal, patienceMs }: Wait, lsn: Lsn): Promise<void> {
  const { slot: name, connector } = pipeline.stream;
  const patience = new Progress(patienceMs);
  const hurry = heartbeats(session);
  for (;;) {
    await hurry();
    const slot = await readSlot(session, name);
    if (!slot || slot.walStatus === 'lost') {
      throw new TidegateError(
        'SLOT_LOST',
        `replication slot '${name}' ${slot ? 'has lost its WAL' : 'does not exist'}`,
        {
          remedy: `Start or restart the stream of '${pipeline.name}': it makes a new snapshot.`,
        },
      );
    }
    if (slot.confirmedFlushLsn >= lsn) return;
    if (patience.exhausted(slot.confirmedFlushLsn)) {
      const what = `replication slot '${name}' is ${slot.active ? 'read, but does not move on' : 'not read by anyone'}`;
      throw new TidegateError('CONNECTOR_FAILED', what, {
        remedy: `See that connector '${connector}' runs: 'npx tidegate status ${pipeline.name}' says what it does.`,
      });
    }
    await sleep(POLL_MS, undefined, { signal });
  }
}

async function waitForStream(
  deps: ActivityDeps,
  options: Omit<Wait, 'session'> & { topics: readonly string[] },
): Promise<Offsets> {
  const { pipeline, topics, signal, patienceMs } = options;
  const kafka = openKafka(deps.environment);
  const ends = await endOffsets(kafka, topics);
  const patience = new Progress(patienceMs);
  let askedAt = Number.NEGATIVE_INFINITY;
  for (;;) {
    const waiting = waitingMessages(
      ends,
      await landedOffsets({ kafka, clickhouse: deps.clickhouse }, pipeline, topics),
    );
    if (waiting === 0n) return ends;
    if (performance.now() - askedAt > ASK_MS) {
      await refusePaused(deps, { pipeline, waiting });
      askedAt = performance.now();
    }
    if (patience.exhausted(waiting)) {
      const what = `the stream of '${pipeline.name}' does not run, or stands still: ${waiting} messages wait in Kafka`;
      throw new TidegateError('NOT_STARTED', what, {
        remedy: `Run 'npx tidegate status ${pipeline.name}' to see why.`,
      });
    }
    await sleep(POLL_MS, undefined, { signal });
  }
}

/** A Temporal that does not answer does not keep the stream from landing what waits. */
async function refusePaused(deps: ActivityDeps, about: { pipeline: Pipeline; waiting: bigint }): Promise<void> {
  const { name } = about.pipeline;
  const temporal = await Temporal.connect(deps.environment).catch(() => null);
  const view = await temporal?.stream(name).catch(() => null);
  await temporal?.close();
  if (view?.status.phase !== 'paused') return;
  const what = `the stream of '${name}' is paused, and messages wait in Kafka: ${about.waiting}`;
  throw new TidegateError('STREAM_PAUSED', what, {
    remedy: `Resume it ('npx tidegate resume ${name}'), or compare once it is to go on: until then the target is not its source.`,
  });
}

/** Tells when a position has stood still for too long. */
export class Progress {
  readonly #patienceMs: number;
  #position: bigint | null = null;
  #movedAt = performance.now();

  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs;
  }

  exhausted(position: bigint): boolean {
    if (position !== this.#position) {
      this.#position = position;
      this.#movedAt = performance.now();
    }
    return performance.now() - this.#movedAt > this.#patienceMs;
  }
}
