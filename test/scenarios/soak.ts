#!/usr/bin/env node
import { parseArgs } from 'node:util';
import { messageOf } from '../../core/errors.ts';
import { Random } from '../../pipelines/random.ts';
import { Scenario } from './harness.ts';
import { SoakTable } from './soakChanges.ts';

export interface SoakOptions {
  changes: number;
  seed: number;
  /** Also changes the tables' shapes. */
  ddl?: boolean;
  /** Also kills the workers now and then. */
  kills?: boolean;
  log?: (line: string) => void;
}

const TABLES = 5;
/** How many sessions write side by side, so that transactions overlap and commit in another order than they began. */
const WRITERS = 3;
const COMPARED_EVERY = 20_000;
const KILLED_EVERY_MS = 60_000;

/**
 * Changes several tables at random, side by side, and compares them by key and value now and then and at the end. A seed
 * repeats the changes, though not how they interleave.
 * @throws AssertionError naming what differs.
 */
export async function soak({ changes, seed, ddl = false, kills = false, log = () => {} }: SoakOptions): Promise<void> {
  log(`seed ${seed}`);
  const random = new Random(seed);
  const tables = Array.from({ length: TABLES }, (_, index) => new SoakTable(`soaked_${index}`, random));
  await using scenario = await Scenario.open({
    ...{ label: 'soak', workers: kills ? 'child' : 'in process', tables: tables.map(({ name }) => name) },
    ddl: tables.map((table, index) => table.ddl(index % 2 === 0 ? 'DEFAULT' : 'FULL')).join('\n'),
  });
  let killing = true;
  const killer = kills ? killNowAndThen(scenario, { random, wanted: () => killing, log }) : Promise.resolve();
  killer.catch(() => undefined);
  for (let done = 0; done < changes; ) {
    const part = Math.min(COMPARED_EVERY, changes - done);
    await write(scenario, { tables, random, changes: part, ddl });
    done += part;
    if (done === changes) {
      killing = false;
      await killer;
    }
    await scenario.assertEqual();
    log(`${done} changes: equal`);
  }
}

async function write(
  scenario: Scenario,
  { tables, random, changes, ddl }: { tables: readonly SoakTable[]; random: Random; changes: number; ddl: boolean },
): Promise<void> {
  let left = changes;
  const writer = async () => {
    const session = await scenario.source.connect();
    try {
      while (left > 0) {
        const size = Math.min(left, random.chance(0.02) ? 500 : 1 + random.between(0, 19));
        left -= size;
        if (ddl && random.chance(0.005)) await session.query(random.pick(tables).reshape(random));
        const table = random.chance(0.7) ? random.pick(tables) : null;
        const statements = Array.from({ length: size }, () => (table ?? random.pick(tables)).change(random));
        const end = random.chance(0.05) ? 'ROLLBACK' : 'COMMIT';
        await session.query(`BEGIN; ${statements.join('; ')}; ${end}`).catch(async (error) => {
          await session.query('ROLLBACK');
          // Sessions that change the same rows may meet in a deadlock, or on the same new key, or on a changed shape.
          const code = (error as { code?: string }).code ?? '';
          const expected = ['40P01', '23505', ...(ddl ? ['42703', '42701'] : [])];
          if (!expected.includes(code)) throw error;
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
  { random, wanted, log }: { random: Random; wanted: () => boolean; log: (line: string) => void },
): Promise<void> {
  while (wanted()) {
    const at = Date.now() + KILLED_EVERY_MS * (0.5 + random.next() / 2);
    while (wanted() && Date.now() < at) await new Promise((resolve) => setTimeout(resolve, 100));
    if (!wanted()) return;
    await scenario.killWorkers();
    scenario.startWorkers();
    log('workers killed and started again');
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
  try {
    await soak({
      ...{ changes: Number(values.changes), seed: Number(values.seed), ddl: values.ddl, kills: values.kills },
      log: (line) => console.log(`${new Date().toISOString().slice(11, 19)} ${line}`),
    });
    process.exit(0);
  } catch (error) {
    console.error(error instanceof Error ? (error.stack ?? messageOf(error)) : error);
    process.exit(1);
  }
}
