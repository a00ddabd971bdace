import { ClickHouseError } from '@clickhouse/client';
import type { ClickHouse } from '../adapters/clickhouse.ts';
import { classify, withoutExpression } from '../core/clickhouseErrors.ts';
import type { DeadLetter } from '../core/deadLetters.ts';
import type { Pipeline } from '../core/definition.ts';
import { defectOf, linePrefix, objectStart } from '../core/envelope.ts';
import { messageOf } from '../core/errors.ts';
import { chTable } from '../core/identifiers.ts';
import { findLane, LANDING, type Lane } from '../core/lanes.ts';
import { landingName } from '../core/names.ts';
import { DeadLetters, type StoredDeadLetter } from './deadLetters.ts';
import type { ActivityDeps } from './deps.ts';
import { rereaderOf } from './runStreamReread.ts';

/** What became of one letter: null when it landed, else why not. */
export interface Replay {
  letter: StoredDeadLetter;
  refusal: { code: string; reason: string } | null;
}

/**
 * Inserts a dead letter's bytes with their own coordinates once more, so that a newer change of the same key still wins,
 * and notes how it went: it is marked as replayed only after it landed.
 * @throws what ClickHouse throws that is no fault of the message; the letter is then as it was.
 */
export async function replayDeadLetter(
  deps: Pick<ActivityDeps, 'clickhouse' | 'environment'> & { pipeline: Pipeline },
  letter: StoredDeadLetter,
): Promise<Replay> {
  const { clickhouse, pipeline } = deps;
  const refusal = await land(deps, letter);
  const revision = letter.revision + 1;
  const [clock] = await clickhouse.rows<{ now: string }>('SELECT toUnixTimestamp64Milli(now64(3)) AS now');
  const noted: DeadLetter = refusal
    ? { ...letter, ...refusal, revision }
    : { ...letter, revision, replayedMs: Number(clock!.now) };
  await new DeadLetters(clickhouse, pipeline).write([noted]);
  return { letter, refusal };
}

async function land(
  deps: Pick<ActivityDeps, 'clickhouse' | 'environment'> & { pipeline: Pipeline },
  letter: StoredDeadLetter,
): Promise<Replay['refusal']> {
  const { pipeline } = deps;
  const { value, partition, offset } = letter;
  const start = objectStart(value);
  if (start < 0) return defectOf(value);
  const lane = findLane(pipeline, letter.table);
  const { form } = LANDING[lane.kind];
  const head = Buffer.from(`${linePrefix(partition)}${offset},${form.open}`);
  const line = Buffer.concat([head, value.subarray(start + 1), Buffer.from(`${form.close}\n`)]);
  const refusal = await insert(deps, { lane, line });
  const reread = refusal && rereaderOf(deps, pipeline, lane.label);
  const completed = await reread?.({ chunks: [line], rows: 1, bytes: line.length });
  return typeof completed === 'object' && completed
    ? await insert(deps, { lane, line: completed.chunks[0]! })
    : refusal;
}

async function insert(
  { clickhouse, pipeline }: { clickhouse: ClickHouse; pipeline: Pipeline },
  { lane: { kind, target }, line }: { lane: Lane; line: Buffer },
): Promise<Replay['refusal']> {
  try {
    const { readRows } = await clickhouse.insert({
      into: chTable({ database: pipeline.database, name: landingName(target) }),
      format: 'JSONEachRow',
      body: line,
      settings: LANDING[kind].settings,
    });
    return readRows === 1 ? null : { code: 'SEVERAL_VALUES', reason: `was read as ${readRows} rows` };
  } catch (error) {
    if (!(error instanceof ClickHouseError)) throw error;
    const meaning = classify(error.code, error.message);
    if (meaning !== 'bad-data' && meaning !== 'drift') throw error;
    return { code: error.type ?? error.code, reason: `was refused: ${withoutExpression(messageOf(error))}` };
  }
}
