import type { ClickHouse } from '../adapters/clickhouse.ts';
import type { BadMessage, DeadLetter } from '../core/deadLetters.ts';
import type { Pipeline } from '../core/definition.ts';
import { sourceMarks } from '../core/envelope.ts';
import { TidegateError } from '../core/errors.ts';
import type { Lane } from '../core/lanes.ts';
import { DeadLetters, type StoredDeadLetter } from './deadLetters.ts';

/** Sets bad messages of a stream aside, unless more would be outstanding than its definition allows. */
export class DeadLetterKeeper {
  readonly #letters: DeadLetters;
  readonly #clickhouse: ClickHouse;
  readonly #pipeline: Pipeline;
  /** Tables take turns, so that each sees what the others have set aside. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(clickhouse: ClickHouse, pipeline: Pipeline) {
    this.#letters = new DeadLetters(clickhouse, pipeline);
    this.#clickhouse = clickhouse;
    this.#pipeline = pipeline;
  }

  /**
   * Returns when the messages of one table, a batch's bad ones, are durable. Doing it again changes nothing.
   * @throws TidegateError BAD_MESSAGE when they would be too many, before anything is written; or ClickHouse's error.
   */
  async keep(lane: Lane, bad: readonly BadMessage[]): Promise<void> {
    const mine = this.#turn.then(() => this.#keep(lane, bad));
    this.#turn = mine.catch(() => undefined);
    await mine;
  }

  async #keep({ label: table, topic }: Lane, bad: readonly BadMessage[]): Promise<void> {
    const known = new Map<string, StoredDeadLetter>();
    const offsets = rangeOf(bad);
    for (const letter of await this.#letters.find({ table, offsets })) known.set(coordinates(letter), letter);
    const firstSeenMs = await this.#clockMs();
    const fresh = bad.flatMap((message): DeadLetter[] => {
      const before = known.get(coordinates(message));
      // What a repeat finds again is already there; other bytes at an offset are from a topic made anew.
      if (before?.status === 'outstanding' && before.value.equals(message.value)) return [];
      const { lsn } = sourceMarks(message.value);
      const revision = before ? before.revision + 1 : 0;
      return [{ ...message, table, topic, lsn, revision, firstSeenMs, replayedMs: null }];
    });
    await this.#checkLimit(topic, fresh);
    await this.#letters.write(fresh);
  }

  async #checkLimit(topic: string, fresh: readonly DeadLetter[]): Promise<void> {
    const { stopAfter } = this.#pipeline.deadLetters;
    const [first] = fresh;
    if (stopAfter === null || !first) return;
    const outstanding = await this.#letters.count({ status: 'outstanding' });
    if (outstanding + fresh.length <= stopAfter) return;
    const { name } = this.#pipeline;
    const where = `message ${topic}:${first.partition} at offset ${first.offset} for ${first.table}`;
    const limit = `deadLetters.stopAfter of '${name}' allows ${stopAfter} dead letters, and ${outstanding} are outstanding`;
    throw new TidegateError('BAD_MESSAGE', `${where} ${first.reason}; ${limit}`, {
      remedy: `Replay or read those ('npx tidegate dead-letters list ${name}'), or raise the limit; then 'npx tidegate resume ${name}'.`,
    });
  }

  /** ClickHouse's clock, by which snapshots are recorded too. */
  async #clockMs(): Promise<number> {
    const [row] = await this.#clickhouse.rows<{ now: string }>('SELECT toUnixTimestamp64Milli(now64(3)) AS now');
    return Number(row!.now);
  }
}

function rangeOf(messages: readonly BadMessage[]): { from: bigint; to: bigint } {
  const sorted = messages.map(({ offset }) => offset).sort((one, other) => (one < other ? -1 : 1));
  return { from: sorted.at(0)!, to: sorted.at(-1)! };
}

function coordinates({ partition, offset }: { partition: number; offset: bigint }): string {
  return `${partition}:${offset}`;
}
