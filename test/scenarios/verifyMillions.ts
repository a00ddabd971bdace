#!/usr/bin/env node
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type pg from 'pg';
import { followVerify } from '../../adapters/temporalWork.ts';
import type { VerifyReport } from '../../core/activityTypes.ts';
import { messageOf } from '../../core/errors.ts';
import { chTable } from '../../core/identifiers.ts';
import { Random } from '../../pipelines/random.ts';
import { Scenario } from './harness.ts';
import { until } from './until.ts';

/**
 * Verifies a table of millions of rows on the running stack (TIDEGATE_HOME) while it is written: that nothing is reported
 * where nothing differs, that what differs is found, and what it costs the source and the worker.
 *     node test/scenarios/verifyMillions.ts --rows 10000000 --changes 500
 */
const SAMPLE_MS = 200;
/** Linux counts the time of processes in these. */
const TICKS_A_SECOND = 100;
const CHANGES_A_WRITE = 25;
const COPY_MS = 3_600_000;

/** What a verification cost, by looking at the processes now and then. */
class Costs {
  longestQueryMs = 0;
  workerMb = 0;
  readonly #cpu = new Map<number, number>();

  get sourceCpuSeconds(): number {
    return [...this.#cpu.values()].reduce((sum, ticks) => sum + ticks, 0) / TICKS_A_SECOND;
  }

  async sample(admin: pg.Client): Promise<void> {
    const { rows } = await admin.query<{ pid: number; ms: number | null }>(
      `SELECT pid, CASE WHEN state = 'active' THEN extract(epoch FROM clock_timestamp() - query_start) * 1000 END::float8 AS ms
       FROM pg_stat_activity WHERE application_name LIKE 'tidegate verify%'`,
    );
    for (const { pid, ms } of rows) {
      this.#cpu.set(pid, cpuTicks(pid) ?? this.#cpu.get(pid) ?? 0);
      this.longestQueryMs = Math.max(this.longestQueryMs, ms ?? 0);
    }
    this.workerMb = Math.max(this.workerMb, ...children().map(residentMb));
  }
}

function cpuTicks(pid: number): number | null {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ');
    return Number(fields[11]) + Number(fields[12]);
  } catch {
    return null;
  }
}

function children(): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return (
        readFileSync(`/proc/${pid}/stat`, 'utf8')
          .replace(/^.*\) /, '')
          .split(' ')[1] === String(process.pid)
      );
    } catch {
      return false;
    }
  });
}

function residentMb(pid: string): number {
  try {
    return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}

async function measured(scenario: Scenario): Promise<{ report: VerifyReport; seconds: number; costs: Costs }> {
  const started = performance.now();
  const costs = new Costs();
  const workflowId = await scenario.temporal.startVerify(scenario.name);
  let ended = false;
  const sampling = (async () => {
    while (!ended) {
      await costs.sample(scenario.source.admin);
      await delay(SAMPLE_MS);
    }
  })();
  try {
    const report = await followVerify(scenario.temporal.client, { workflowId, onActivities: () => undefined });
    return { report, seconds: (performance.now() - started) / 1000, costs };
  } finally {
    ended = true;
    await sampling;
  }
}

/** Changes rows anywhere until it is told to stop. @returns how many changes a second it came to. */
async function write(
  scenario: Scenario,
  options: { rows: number; changes: number; stop: AbortSignal },
): Promise<number> {
  const { rows, changes, stop } = options;
  const random = new Random(1);
  const session = await scenario.source.connect();
  const started = performance.now();
  let done = 0;
  try {
    while (!stop.aborted) {
      const ids = Array.from({ length: CHANGES_A_WRITE - 2 }, () => random.between(1, rows - 1000)).join(', ');
      await session.query(`
        UPDATE measured SET quantity = quantity + 1, updated_at = now() WHERE id IN (${ids});
        INSERT INTO measured VALUES (${rows + 1 + done}, 1, 'new', now(), 1);
        DELETE FROM measured WHERE id = ${rows + 1 + done - 10 * CHANGES_A_WRITE}`);
      done += CHANGES_A_WRITE;
      await delay(Math.max(0, started + (done / changes) * 1000 - performance.now()));
    }
    return Math.round(done / ((performance.now() - started) / 1000));
  } finally {
    await session.end();
  }
}

async function main({ rows, changes, runs }: { rows: number; changes: number; runs: number }): Promise<void> {
  await using scenario = await Scenario.open({
    ...{ label: 'million', tables: ['measured'], workers: 'child', start: false },
    ddl: `CREATE TABLE measured (id bigint PRIMARY KEY, quantity int NOT NULL, name text, updated_at timestamptz NOT NULL, price numeric(12, 2));
      INSERT INTO measured SELECT i, i % 1000, 'name of ' || i, timestamptz '2024-01-01' + i * interval '1 s', i / 100.0
      FROM generate_series(1, ${rows}::bigint) i; ANALYZE measured`,
  });
  scenario.startWorkers();
  await scenario.temporal.startSupervisor(scenario.name);
  const phase = async () => (await scenario.status())?.status.phase;
  await until(phase, (now) => now === 'streaming', { what: 'the snapshot is taken', deadlineMs: COPY_MS });
  await scenario.waitUntilCaughtUp(COPY_MS);
  console.log(`${rows} rows are there`);
  const stop = new AbortController();
  const writing = write(scenario, { rows, changes, stop: stop.signal });
  writing.catch(() => undefined);
  const show = (what: string, { report, seconds, costs }: Awaited<ReturnType<typeof measured>>) =>
    console.log(
      JSON.stringify({
        what,
        ok: report.ok,
        seconds: Number(seconds.toFixed(1)),
        sourceCpuSeconds: costs.sourceCpuSeconds,
        longestQueryMs: Math.round(costs.longestQueryMs),
        workerMb: Math.round(costs.workerMb),
        tables: report.tables,
      }),
    );
  try {
    for (let run = 1; run <= runs; run++) {
      const result = await measured(scenario);
      show(`run ${run}, nothing differs`, result);
      assert.equal(result.report.ok, true);
    }
    const target = chTable({ database: scenario.pipeline.database, name: 'measured' });
    const wrong = [rows - 900, rows - 800, rows - 700];
    await scenario.clickhouse.command(
      `INSERT INTO ${target} SELECT * REPLACE (concat(name, ' ') AS name, _version + 1 AS _version, id = ${wrong[2]} AS _deleted) FROM ${target} FINAL WHERE id IN (${wrong.join(', ')})`,
    );
    const result = await measured(scenario);
    show('three rows differ', result);
    const found = result.report.tables[0]!.differences.map(({ key, kind }) => `${kind} ${key}`).sort();
    assert.deepEqual(found, [`different ["${wrong[0]}"]`, `different ["${wrong[1]}"]`, `missing ["${wrong[2]}"]`]);
  } finally {
    stop.abort();
    console.log(`changes a second: ${await writing}`);
  }
}

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '10000000' },
    changes: { type: 'string', default: '500' },
    runs: { type: 'string', default: '2' },
  },
});
main({ rows: Number(values.rows), changes: Number(values.changes), runs: Number(values.runs) }).catch((error) => {
  console.error(messageOf(error));
  process.exitCode = 1;
});
