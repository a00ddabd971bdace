import { createHash } from 'node:crypto';
import type { ClickHouse } from '../adapters/clickhouse.ts';
import { openKafka } from '../adapters/kafka.ts';
import { type Pipeline, streamTables } from '../core/definition.ts';
import type { KeyedMart } from '../core/definitionKeyedMarts.ts';
import { chTable } from '../core/identifiers.ts';
import { streamLanes } from '../core/lanes.ts';
import { keyedRowsName, MERGES_TABLE, SCHEMA_TABLE, SNAPSHOTS_TABLE, truncationsName } from '../core/names.ts';
import { VERSION_COLUMN } from '../core/typeMapping.ts';
import type { ActivityDeps } from './deps.ts';
import { landedOffsets } from './kafkaEngine.ts';
import { targetUuids } from './snapshotRecord.ts';

/** What a merge by keys has noted. */
export interface NotedMerge {
  number: bigint;
  generation: string;
  /** What was committed before its first SELECT, by `topic:partition`; of a mart among the inputs, its merge's number. */
  offsets: ReadonlyMap<string, bigint>;
  keys: number;
  rows: number;
  rebuilt: boolean;
  seconds: number;
  /** As ClickHouse writes it, in UTC. */
  notedAt: string;
}

/** How the inputs of a mart stand. */
export interface InputsState {
  offsets: ReadonlyMap<string, bigint>;
  /** Differs when rows may have changed without having arrived: by a copy, a truncation, an altered table or definition. */
  generation: string;
  /** Why there is nothing to merge yet; null when there is. */
  waiting: string | null;
}

/** Notes that an attempt begins, after which no earlier one merges anything. @returns the number of its merge. */
export async function beginMerge(
  clickhouse: ClickHouse,
  { pipeline, mart, token }: { pipeline: Pipeline; mart: KeyedMart; token: string },
): Promise<bigint> {
  const merges = mergesTable(pipeline);
  await clickhouse.command(
    `INSERT INTO ${merges} (mart, state, number, token) ` +
      `SELECT {mart:String}, 'begun', max(number) + 1, {token:String} FROM ${merges} WHERE mart = {mart:String}`,
    { params: { mart: mart.name, token }, settings: { insert_deduplicate: 0 } },
  );
  const [begun] = await clickhouse.rows<{ number: string }>(
    `SELECT number FROM ${merges} WHERE mart = {mart:String} AND token = {token:String} AND state = 'begun'`,
    { params: { mart: mart.name, token } },
  );
  return BigInt(begun!.number);
}

/** The last merge that was done; null before the first. */
export async function lastMerge(
  clickhouse: ClickHouse,
  pipeline: Pipeline,
  mart: KeyedMart,
): Promise<NotedMerge | null> {
  const [row] = await clickhouse.rows<{
    number: string;
    generation: string;
    offsets: Record<string, string>;
    keys: string;
    rows: string;
    rebuilt: boolean;
    seconds: number;
    noted_at: string;
  }>(`SELECT * FROM ${mergesTable(pipeline)} FINAL WHERE mart = {mart:String} AND state = 'done'`, {
    params: { mart: mart.name },
  });
  if (!row) return null;
  const { number, generation, offsets, keys, rows, rebuilt, seconds, noted_at } = row;
  return {
    ...{ number: BigInt(number), generation, rebuilt, seconds, keys: Number(keys), rows: Number(rows) },
    offsets: new Map(Object.entries(offsets).map(([key, offset]) => [key, BigInt(offset)])),
    notedAt: noted_at,
  };
}

/** Notes that a merge is done, with how its inputs stood before it. */
export async function noteMerge(
  clickhouse: ClickHouse,
  done: Pick<NotedMerge, 'number' | 'generation' | 'offsets' | 'keys' | 'rows'> & {
    pipeline: Pipeline;
    mart: KeyedMart;
    token: string;
    rebuilt: string | null;
    seconds: number;
  },
): Promise<void> {
  const { pipeline, mart, token, number, generation, keys, rows, rebuilt, seconds } = done;
  const offsets = Object.fromEntries([...done.offsets].map(([key, offset]) => [key, String(offset)]));
  const row = {
    ...{ mart: mart.name, state: 'done', number: String(number), token, generation, offsets },
    ...{ keys, rows, rebuilt: rebuilt !== null, seconds },
  };
  await clickhouse.insert({
    into: mergesTable(pipeline),
    columns: Object.keys(row),
    format: 'JSONEachRow',
    body: Buffer.from(JSON.stringify(row)),
    settings: { async_insert: 0, insert_deduplicate: 0 },
  });
}

/** Reads how the inputs stand: whatever lands or changes after that is found by the next merge. */
export async function inputsState(
  { clickhouse, environment }: ActivityDeps,
  { pipeline, mart, select }: { pipeline: Pipeline; mart: KeyedMart; select: string },
): Promise<InputsState> {
  const { database } = pipeline;
  const targets = mart.inputs.filter((input) => !input.mart).map(({ target }) => target);
  const tables = streamTables(pipeline).filter(({ target }) => targets.includes(target));
  const topics = streamLanes(pipeline).filter(({ target }) => targets.includes(target));
  const sides = { kafka: openKafka(environment), clickhouse };
  const names = topics.map(({ topic }) => topic);
  const offsets = new Map(await landedOffsets(sides, pipeline, names));
  for (const input of mart.inputs.filter((each) => each.mart)) {
    const upstream = pipeline.keyedMarts.find(({ name }) => name === input.target)!;
    offsets.set(input.target, (await lastMerge(clickhouse, pipeline, upstream))?.number ?? 0n);
  }

  const uuids = await targetUuids(clickhouse, pipeline);
  const read = async (table: string, sql: (quoted: string) => string) =>
    uuids.has(table)
      ? await clickhouse.rows<Record<string, string>>(sql(chTable({ database, name: table })), {
          params: { slot: pipeline.stream.slot, labels: tables.map(({ label }) => label) },
        })
      : [];
  const copies = await read(
    SNAPSHOTS_TABLE,
    (log) =>
      `SELECT toString(max(recorded_at)) AS last, argMaxIf(state, recorded_at, state IN ('started', 'finished')) AS state ` +
      `FROM ${log} WHERE slot = {slot:String}`,
  );
  const inputs = mart.inputs.map((input) => (input.mart ? keyedRowsName(input.target) : input.target));
  const generation = [
    ...[mart, select, copies],
    [...inputs, keyedRowsName(mart.name)].map((name) => uuids.get(name) ?? ''),
    await read(
      SCHEMA_TABLE,
      (log) =>
        `SELECT toString(max(recorded_at)) AS last FROM ${log} WHERE kind = 'schema' AND \`table\` IN {labels:Array(String)}`,
    ),
    await Promise.all(
      tables.map(({ target }) =>
        read(truncationsName(target), (log) => `SELECT toString(max(${VERSION_COLUMN})) AS last FROM ${log}`),
      ),
    ),
  ];
  const copied = tables.length === 0 || copies[0]?.['state'] === 'finished';
  return {
    offsets,
    generation: createHash('sha256').update(JSON.stringify(generation)).digest('hex'),
    waiting: copied ? null : 'the tables that it reads have not been copied yet',
  };
}

function mergesTable({ database }: Pipeline): string {
  return chTable({ database, name: MERGES_TABLE });
}
