import { attemptName, newToken } from '../core/copyAttempt.ts';
import type { Pipeline } from '../core/definition.ts';
import type { KeyedInput, KeyedMart } from '../core/definitionKeyedMarts.ts';
import { TidegateError } from '../core/errors.ts';
import { chIdentifier, chTable } from '../core/identifiers.ts';
import {
  arrivedRows,
  arrivedSince,
  changedKeys,
  keysDdl,
  keysOfInput,
  keysOfMart,
  mergedSince,
  mergeStatement,
  OVERTAKEN,
} from '../core/keyedMarts.ts';
import { streamLanes } from '../core/lanes.ts';
import { findKeyedMart, followersOf } from '../core/martInputs.ts';
import type { KeysProgress, MergeActivities, MergedKeys } from '../core/mergeTypes.ts';
import { keyedRowsName } from '../core/names.ts';
import { partitionOf } from '../core/partitions.ts';
import { DELETED_COLUMN, VERSION_COLUMN } from '../core/typeMapping.ts';
import { withHeartbeat } from './copyProgress.ts';
import { dropLeftovers, MEANT } from './copyTarget.ts';
import type { ActivityDeps } from './deps.ts';
import { martFailure } from './martRefusals.ts';
import { beginMerge, type InputsState, inputsState, lastMerge, type NotedMerge, noteMerge } from './mergeRecord.ts';
import { readSql } from './readSql.ts';

/** Where a test may break the work off: the keys are found, the first of them are merged, all are, and that is noted. */
export type MergeKeysStep = 'begun' | 'found' | 'partly merged' | 'merged' | 'noted';

/** Where more rows than this have changed, all keys are merged: looking for theirs would take as much memory. */
const MANY_ROWS = 1_000_000;

type Merged = Pick<MergedKeys, 'keys' | 'rows' | 'rebuilt' | 'waiting'>;
const NOTHING = { keys: 0, rows: 0, rebuilt: null } as const;

/** What one attempt works on. */
interface Attempt {
  pipeline: Pipeline;
  mart: KeyedMart;
  select: string;
  /** Of the mart, without the engine's own. */
  columns: readonly { name: string; type: string }[];
  number: bigint;
  token: string;
  startedMs: number;
  progress: KeysProgress;
  signal: AbortSignal;
}

/**
 * The activity that merges a mart by keys. What is noted never claims more than the mart holds: the offsets are read before
 * the first SELECT, and noted after the last; a merge that dies in between is made again. An attempt that was believed dead
 * writes nothing any more: each of its statements looks whether another has begun, and that one first drops the tables
 * which those that run still need, which waits for their end.
 */
export function mergeKeys(
  deps: ActivityDeps,
  onStep: (step: MergeKeysStep) => Promise<void> = async () => {},
): Pick<MergeActivities, 'mergeKeys'> {
  const { clickhouse } = deps;

  async function merge(attempt: Attempt, rebuild: boolean): Promise<Merged> {
    const { pipeline, mart, token, progress, signal } = attempt;
    const quoted = (name: string) => chTable({ database: pipeline.database, name });
    const last = await lastMerge(clickhouse, pipeline, mart);
    const state = await inputsState(deps, { pipeline, mart, select: attempt.select });
    if (state.waiting !== null) return { ...NOTHING, waiting: state.waiting };
    await onStep('begun');
    const [keys, chunk] = [quoted(attemptName(mart.name, token)), quoted(attemptName(chunkOf(mart), token))];
    const typed = mart.key.map((name) => attempt.columns.find((column) => column.name === name)!);
    await clickhouse.command(keysDdl(keys, typed, 'sorted'));
    await clickhouse.command(keysDdl(chunk, typed, 'plain'));

    let rebuilt = rebuild ? 'it was asked for' : whyAll(last, state);
    rebuilt ??= await findChanged(attempt, { into: keys, last: last!, signal });
    if (rebuilt !== null) await findAll(attempt, keys);
    // One part in the order of the key, so that what is merged at once lies together.
    await clickhouse.command(`OPTIMIZE TABLE ${keys} FINAL`, { signal });
    const [found] = await clickhouse.rows<{ keys: string; end: string }>(
      `SELECT count() AS keys, max(_part_offset) + 1 AS end FROM ${keys}`,
    );
    progress.step = 'merging keys';
    progress.keys = Number(found!.keys);
    await onStep('found');

    for (let from = 0; progress.keys > 0 && from < Number(found!.end); from += mart.keysAtOnce) {
      signal.throwIfAborted();
      await clickhouse.command(`TRUNCATE TABLE ${chunk}`, { settings: MEANT });
      const to = from + mart.keysAtOnce;
      await clickhouse.command(
        `INSERT INTO ${chunk} SELECT * FROM ${keys} WHERE _part_offset >= ${from} AND _part_offset < ${to}`,
        { signal },
      );
      await mergeChunk(attempt, chunk);
      progress.merged = Math.min(to, progress.keys);
      if (from === 0) await onStep('partly merged');
    }
    await onStep('merged');
    progress.step = 'noting';
    const [rows] = await clickhouse.rows<{ rows: string }>(
      `SELECT count() AS rows FROM ${quoted(keyedRowsName(mart.name))} ` +
        `WHERE ${DELETED_COLUMN} = 0 AND ${mergedSince(attempt.number - 1n)}`,
    );
    const merged = { keys: progress.keys, rows: Number(rows!.rows), rebuilt, waiting: null };
    const seconds = (performance.now() - attempt.startedMs) / 1000;
    await noteMerge(clickhouse, { ...attempt, ...merged, ...state, seconds });
    await onStep('noted');
    return merged;
  }

  /** Why the keys of changed rows are not all that have to be merged; null when they are. */
  function whyAll(last: NotedMerge | null, state: InputsState): string | null {
    if (last === null) return 'it is the first merge';
    if (last.generation !== state.generation)
      return 'the mart was changed, or an input was loaded, altered or truncated';
    const back = [...last.offsets].find(([key, offset]) => (state.offsets.get(key) ?? 0n) < offset);
    return back ? `${back[0]} has begun anew` : null;
  }

  /** Writes down the keys of what has changed. @returns why all are to be merged instead; null when these are enough. */
  async function findChanged(
    { pipeline, mart }: Attempt,
    { into, last, signal }: { into: string; last: NotedMerge; signal: AbortSignal },
  ): Promise<string | null> {
    for (const input of mart.inputs) {
      const about = { input, arrived: sinceLast(pipeline, input, last) };
      const [counted] = await clickhouse.rows<{ rows: string }>(arrivedRows(pipeline, about), { signal });
      const rows = Number(counted!.rows);
      if (rows > MANY_ROWS) return `${rows} rows of ${input.target} have changed`;
      if (rows > 0) await clickhouse.command(`INSERT INTO ${into} ${changedKeys(pipeline, mart, about)}`, { signal });
    }
    return null;
  }

  async function findAll({ pipeline, mart, signal }: Attempt, into: string): Promise<void> {
    const sources = mart.inputs.filter(({ wholeKey }) => wholeKey).map((input) => keysOfInput(pipeline, mart, input));
    for (const select of [...sources, keysOfMart(pipeline, mart)]) {
      await clickhouse.command(`INSERT INTO ${into} ${select}`, { signal });
    }
  }

  async function mergeChunk(attempt: Attempt, chunk: string): Promise<void> {
    const { pipeline, mart, signal } = attempt;
    const sql = mergeStatement(pipeline, mart, { ...attempt, chunk });
    try {
      const settings = { database: pipeline.database, insert_deduplicate: 0 };
      await clickhouse.command(sql, { params: { keys: attemptName(chunkOf(mart), attempt.token) }, settings, signal });
    } catch (cause) {
      const failure = martFailure(mart, cause);
      const overtaken = failure instanceof TidegateError && failure.message.includes(OVERTAKEN);
      throw overtaken ? new Overtaken() : failure;
    }
  }

  async function drop({ pipeline, mart }: Attempt, token?: string): Promise<void> {
    const targets = [mart.name, chunkOf(mart)];
    await dropLeftovers(clickhouse, { database: pipeline.database, targets, sync: true, ...(token && { token }) });
  }

  return {
    async mergeKeys(name, martName, { rebuild }): Promise<MergedKeys> {
      const found = deps.definitions.get(name);
      const { pipeline } = found;
      const mart = findKeyedMart(pipeline, martName);
      const startedMs = performance.now();
      const progress: KeysProgress = { step: 'finding keys', mart: mart.name, keys: 0, merged: 0 };
      const select = await readSql(found, mart.file);
      const token = newToken();
      const done = await withHeartbeat(
        () => progress,
        async ({ signal }) => {
          const columns = await columnsOf(deps, pipeline, mart);
          const number = await beginMerge(clickhouse, { pipeline, mart, token });
          const attempt: Attempt = { pipeline, mart, select, columns, number, token, startedMs, progress, signal };
          await drop(attempt);
          try {
            return await merge(attempt, rebuild);
          } catch (error) {
            if (!(error instanceof Overtaken)) throw error;
            return { ...NOTHING, waiting: 'another merge has begun, which sees all that this one would have' };
          } finally {
            // What cannot be dropped now is dropped by the next attempt.
            await drop(attempt, token).catch(() => {});
            progress.step = 'done';
          }
        },
      );
      const followers = followersOf(pipeline, mart.name).map((each) => each.name);
      return { mart: mart.name, ...done, followers, seconds: (performance.now() - startedMs) / 1000 };
    },
  };
}

class Overtaken extends Error {}

const chunkOf = ({ name }: KeyedMart) => `${name}_chunk`;

function sinceLast(pipeline: Pipeline, input: KeyedInput, { offsets }: NotedMerge): string {
  if (input.mart) return mergedSince(offsets.get(input.target) ?? 0n);
  const lane = streamLanes(pipeline).find(({ target }) => target === input.target)!;
  const noted = [...offsets].flatMap(([key, offset]): [number, bigint][] => {
    const { topic, partition } = partitionOf(key);
    return topic === lane.topic ? [[partition, offset]] : [];
  });
  return arrivedSince(pipeline, lane, new Map(noted));
}

async function columnsOf(
  { clickhouse }: ActivityDeps,
  { database }: Pipeline,
  mart: KeyedMart,
): Promise<{ name: string; type: string }[]> {
  const columns = await clickhouse.columns({ database, name: keyedRowsName(mart.name) });
  const own: readonly string[] = [VERSION_COLUMN, DELETED_COLUMN];
  if (columns.length > 0) return columns.filter(({ name }) => !own.includes(name));
  throw new TidegateError('NOT_STARTED', `the mart ${chIdentifier(mart.name)} has not been created`, {
    remedy: "Run 'npx tidegate apply'.",
  });
}
