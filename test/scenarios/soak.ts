#!/usr/bin/env node
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { DeadLetters } from '../../activities/deadLetters.ts';
import { loadEnvironment } from '../../adapters/environment.ts';
import { messageOf } from '../../core/errors.ts';
import { Random } from '../../pipelines/random.ts';
import { type RunningStack, startStack } from '../../stack/stack.ts';
import { Scenario } from './harness.ts';
import { SoakTable, soakTypesDdl, transactions } from './soakChanges.ts';
import { until } from './until.ts';

export interface SoakOptions {
  changes: number;
  seed: number;
  /** Also changes the tables' shapes. */
  ddl?: boolean;
  /** Kills the workers and Kafka Connect of this stack now and then. */
  kills?: RunningStack;
  log?: (line: string) => void;
}

const TABLES = 5;
/** How many sessions write side by side, so that transactions overlap and commit in another order than they began. */
const WRITERS = 3;
const COMPARED_EVERY = 20_000;
const KILLED_EVERY_MS = 60_000;
const DEADLINE_MS = 900_000;

/** What sessions that change the same rows and shapes do to each other: deadlock, the same new key, a column that is gone. */
const EXPECTED = { always: ['40P01', '23505'], ddl: ['42703', '42701', '42804', '0A000', '22003', '22P02', '55P04'] };

/**
 * Changes several tables at random, side by side, and compares them by key and value now and then and at the end, when also
 * nothing may have been set aside. A seed repeats the transactions, though not how they interleave.
 * @throws AssertionError naming what differs.
 */
export async function soak({ changes, seed, ddl = false, kills, log = () => {} }: SoakOptions): Promise<void> {
  log(`seed ${seed}`);
  const random = new Random(seed);
  const tables = Array.from({ length: TABLES }, (_, index) => new SoakTable(`soaked_${index}`, random));
  await using scenario = await Scenario.open({
    ...{ label: 'soak', workers: kills ? 'child' : 'in process', tables: tables.map(({ name }) => name) },
    ...(kills && { environment: loadEnvironment().with(kills.env) }),
    ddl: [soakTypesDdl(tables), ...tables.map((table, index) => table.ddl(index % 2 === 0 ? 'DEFAULT' : 'FULL'))].join(
      '',
    ),
  });
  // While what was written is caught up with, the stream is given time to.
  const pace = { ended: false, left: Number.POSITIVE_INFINITY };
  const killer = kills ? killNowAndThen(scenario, kills, { seed, pace, log }) : Promise.resolve();
  killer.catch(() => undefined);
  const all = transactions(tables, random, { changes, ddl });
  for (let done = 0; done < changes; ) {
    const begun = done;
    const part = function* () {
      while (done < changes && done < begun + COMPARED_EVERY) {
        const { value, done: ended } = all.next();
        if (ended) return;
        done += value.changes;
        yield value;
      }
    };
    pace.left = Number.POSITIVE_INFINITY;
    await write(scenario, part(), { ddl });
    pace.left = 1;
    if (done >= changes) {
      pace.ended = true;
      await killer;
    }
    if (ddl) await untilEqual(scenario);
    await scenario.assertEqual();
    log(`${done} changes: equal`);
  }
  const letters = await new DeadLetters(scenario.clickhouse, scenario.pipeline).find({}, 5);
  assert.deepEqual(
    letters.map(({ table, reason, value }) => `${table} ${reason}: ${value}`),
    [],
    'dead letters',
  );
}

/** A table that is loaded anew is empty for a while, although the stream has caught up. */
async function untilEqual(scenario: Scenario): Promise<void> {
  const state = async () => {
    await scenario.waitUntilCaughtUp(DEADLINE_MS);
    const phase = (await scenario.status())?.status.phase;
    const lines: string[] = phase === 'streaming' ? [] : [`the stream is ${phase}`];
    for (const table of scenario.pipeline.tables) {
      // While the target is made anew, it may not be there.
      lines.push(...(await scenario.differences(table).catch((error) => [messageOf(error)])));
    }
    return lines;
  };
  const what = 'source and target are equal';
  await until(state, (lines) => lines.length === 0, {
    what,
    deadlineMs: DEADLINE_MS,
    state: () => scenario.describe(),
  });
}

/** Writes the transactions, each session the next one that is free. */
async function write(
  scenario: Scenario,
  part: Iterator<{ reshape: string | null; sql: string }>,
  { ddl }: { ddl: boolean },
): Promise<void> {
  const expected = [...EXPECTED.always, ...(ddl ? EXPECTED.ddl : [])];
  let reshaped: Promise<unknown> = Promise.resolve();
  const writer = async () => {
    const session = await scenario.source.connect();
    try {
      for (let next = part.next(); !next.done; next = part.next()) {
        const { reshape, sql } = next.value;
        // In their order, since one may be about what the one before has made.
        if (reshape) reshaped = reshaped.then(() => session.query(reshape));
        await reshaped;
        await session.query(sql).catch(async (error) => {
          await session.query('ROLLBACK');
          if (!expected.includes((error as { code?: string }).code ?? '')) throw error;
        });
      }
    } finally {
      await session.end();
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, writer));
}

async function killNowAndThen(
  scenario: Scenario,
  stack: RunningStack,
  { seed, pace, log }: { seed: number; pace: { ended: boolean; left: number }; log: (line: string) => void },
): Promise<void> {
  const random = new Random(seed);
  while (!pace.ended) {
    const at = Date.now() + KILLED_EVERY_MS * (0.5 + random.next() / 2);
    while (!pace.ended && (Date.now() < at || pace.left === 0))
      await new Promise((resolve) => setTimeout(resolve, 100));
    if (pace.ended) return;
    pace.left -= 1;
    if (random.chance(0.3)) {
      await stack.kill('connect', 'SIGKILL');
      log('Kafka Connect killed; the stack starts it again');
    } else {
      await scenario.killWorkers();
      scenario.startWorkers();
      log('workers killed and started again');
    }
  }
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      changes: { type: 'string', default: '200000' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      ddl: { type: 'boolean', default: false },
      kills: { type: 'boolean', default: false },
    },
  });
  const home = values.kills ? mkdtempSync(join(tmpdir(), 'tidegate-soak-')) : null;
  const stack = home ? await startStack({ home, ports: 'auto' }) : null;
  try {
    await soak({
      ...{ changes: Number(values.changes), seed: Number(values.seed), ddl: values.ddl },
      ...(stack && { kills: stack }),
      log: (line) => console.log(`${new Date().toISOString().slice(11, 19)} ${line}`),
    });
  } catch (error) {
    console.error(error instanceof Error ? (error.stack ?? messageOf(error)) : error);
    process.exitCode = 1;
  } finally {
    await stack?.stop();
    if (home) rmSync(home, { recursive: true, force: true });
  }
  process.exit();
}
