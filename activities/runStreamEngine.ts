import { setTimeout as sleep } from 'node:timers/promises';
import { committedOffsets, earliestOffsets, endOffsets, type Offsets, openKafka } from '../adapters/kafka.ts';
import { type Pipeline, type PipelineTable, streamTables } from '../core/definition.ts';
import { messageOf, TidegateError } from '../core/errors.ts';
import { EngineJudge } from '../core/kafkaEngine.ts';
import { eventLanes } from '../core/lanes.ts';
import { topicOf } from '../core/names.ts';
import { partitionOf } from '../core/partitions.ts';
import type { ActivityDeps } from './deps.ts';
import { engineFailures, startEngine, stopEngine } from './kafkaEngine.ts';
import { untilDone } from './runStreamPatience.ts';
import { changesLost } from './runStreamReader.ts';
import { type StreamSeams, StreamSession } from './runStreamSession.ts';
import { ProgressKeeper } from './streamProgress.ts';

const LOOK_MS = 500;

/**
 * One run of a pipeline's stream whose changes ClickHouse takes in by itself. Event topics are read by the activity as
 * ever, and the changes are watched. What ClickHouse does not take (a bad message, another schema, a value that has to be
 * read again at the source) it refuses as a whole block, for ever; then the activity takes its place until all that was
 * waiting has landed, is a dead letter, or ends the stream as it would without ClickHouse's engine.
 */
export class EngineSession {
  readonly progress: ProgressKeeper;
  readonly #deps: ActivityDeps;
  readonly #pipeline: Pipeline;
  readonly #aside: ReadonlySet<string>;
  readonly #seams: StreamSeams;
  readonly #tables: readonly PipelineTable[];

  /** @param options.aside labels of tables whose messages stay in Kafka. */
  constructor(
    deps: ActivityDeps,
    { pipeline, aside }: { pipeline: Pipeline; aside: ReadonlySet<string> },
    seams: StreamSeams,
  ) {
    this.#deps = deps;
    this.#pipeline = pipeline;
    this.#aside = aside;
    this.#seams = seams;
    this.#tables = streamTables(pipeline).filter(({ label }) => !aside.has(label));
    this.progress = new ProgressKeeper([...this.#tables, ...eventLanes(pipeline)].map(({ label }) => label));
  }

  /** Returns once `stopping` is aborted and ClickHouse has stopped reading. @throws TidegateError as StreamSession does. */
  async run(stopping: AbortSignal): Promise<void> {
    while (!stopping.aborted) {
      const stuck = await this.#byEngine(stopping);
      if (stuck) await this.#byActivity(stopping);
    }
  }

  /** @returns true when ClickHouse does not take in what waits, false when it was to stop. */
  async #byEngine(stopping: AbortSignal): Promise<boolean> {
    const changes = this.#tables.map(({ label }) => label);
    const [ending, signal] = endingWith(stopping);
    const events = this.#session(new Set([...this.#aside, ...changes]));
    let running: Promise<void> = Promise.resolve();
    try {
      const begun = await startEngine(this.#deps, { pipeline: this.#pipeline, tables: this.#tables });
      running = events.run(signal);
      return await Promise.race([this.#watch(begun, signal), running.then(() => false)]);
    } finally {
      ending.abort();
      await running.catch(() => undefined);
      await this.#stop();
    }
  }

  /** Reads the changes as if there were no engine, until all that is in Kafka now has landed. */
  async #byActivity(stopping: AbortSignal): Promise<void> {
    const [ending, signal] = endingWith(stopping);
    const topics = this.#tables.map((table) => topicOf(this.#pipeline, table));
    const ends = await endOffsets(openKafka(this.#deps.environment), topics);
    const session = this.#session(this.#aside);
    const running = session.run(signal);
    const reached = async () => {
      while (!signal.aborted) {
        const { offsets } = this.progress.snapshot();
        if ([...ends].every(([partition, end]) => BigInt(offsets[partition] ?? -1) >= end)) break;
        await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined);
      }
      ending.abort();
    };
    await Promise.all([running.finally(() => ending.abort()), reached()]);
  }

  #session(aside: ReadonlySet<string>): StreamSession {
    return new StreamSession(this.#deps, { pipeline: this.#pipeline, aside, progress: this.progress }, this.#seams);
  }

  /**
   * Looks until ClickHouse is stuck, or until it is to end.
   * @throws TidegateError OFFSET_LOST when messages were removed that it may not have read: it would go on behind them.
   */
  async #watch({ group, offsets }: { group: string; offsets: Offsets }, signal: AbortSignal): Promise<boolean> {
    const judge = new EngineJudge();
    const kafka = openKafka(this.#deps.environment);
    const topics = this.#tables.map((table) => topicOf(this.#pipeline, table));
    let before = offsets;
    while (!signal.aborted) {
      await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined);
      try {
        const committed = await committedOffsets(kafka, { group, topics });
        const earliest = await earliestOffsets(kafka, topics);
        for (const [partition, next] of before) {
          const begins = earliest.get(partition) ?? next;
          if (begins > next) throw changesLost(`${partition} was read up to ${next} and begins at ${begins} by now`);
        }
        const ends = await endOffsets(kafka, topics);
        const failures = await engineFailures(this.#deps.clickhouse, {
          pipeline: this.#pipeline,
          tables: this.#tables,
        });
        const partitions = new Map(
          [...ends].map(([each, end]) => [each, { end, committed: committed.get(each) ?? 0n }]),
        );
        const { stuck, waitingMs } = judge.judge({ atMs: performance.now(), partitions, failures });
        this.#tell({ before, committed, waitingMs });
        before = committed;
        if (stuck.size > 0) {
          this.#trouble(stuck);
          return true;
        }
      } catch (error) {
        if (error instanceof TidegateError && !error.retryable) throw error;
        if (!signal.aborted) this.progress.trouble(WATCH, `is not answered and asked again: ${messageOf(error)}`);
        judge.forget();
      }
    }
    return false;
  }

  #tell(seen: { before: Offsets; committed: Offsets; waitingMs: ReadonlyMap<string, number> }): void {
    const { before, committed, waitingMs } = seen;
    this.progress.trouble(WATCH, null);
    for (const table of this.#tables) {
      const topic = topicOf(this.#pipeline, table);
      const mine = [...committed].filter(([partition]) => partitionOf(partition).topic === topic);
      const messages = mine.reduce((sum, [partition, next]) => sum + Number(next - (before.get(partition) ?? next)), 0);
      this.progress.takenIn(table.label, { messages, waitingMs: waitingMs.get(topic) ?? 0 });
      for (const [key, next] of mine) this.progress.committed(topic, new Map([[partitionOf(key).partition, next]]));
      if (messages > 0) this.progress.trouble(engineOf(table), null);
    }
  }

  /** Told until ClickHouse takes messages of the table in again. */
  #trouble(stuck: ReadonlyMap<string, string>): void {
    for (const table of this.#tables) {
      const why = stuck.get(topicOf(this.#pipeline, table));
      if (why !== undefined) this.progress.trouble(engineOf(table), `the stream activity has taken its place: ${why}.`);
    }
  }

  /** However long it takes: what is paused may not go on, nor may anybody else read meanwhile. */
  async #stop(): Promise<void> {
    const onTrouble = (problem: string | null) => this.progress.trouble(WATCH, problem);
    const patience = { what: 'ending it', stopping: new AbortController().signal, onTrouble };
    await untilDone(patience, () => stopEngine(this.#deps, this.#pipeline));
  }
}

const WATCH = "ClickHouse's reading of Kafka";

function engineOf({ label }: PipelineTable): string {
  return `${label}, ClickHouse's Kafka engine`;
}

/** A signal that is aborted with another, or on its own. */
function endingWith(stopping: AbortSignal): [AbortController, AbortSignal] {
  const ending = new AbortController();
  return [ending, AbortSignal.any([stopping, ending.signal])];
}
