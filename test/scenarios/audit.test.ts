import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { loadEnvironment } from '../../adapters/environment.ts';
import { connectPostgres } from '../../adapters/postgres.ts';
import { dashboard } from '../../pipelines/audit/dashboard.ts';
import { edits, people } from '../../pipelines/audit/generator.ts';
import audit from '../../pipelines/audit/pipeline.ts';
import { runTraffic } from '../../pipelines/traffic.ts';
import { type RunningStack, startStack } from '../../stack/stack.ts';
import { assertHistory, logChanges } from './changeLog.ts';
import { Scenario } from './harness.ts';
import { until } from './until.ts';

/** The table alone: the source of a scenario has its own role. */
const DDL = readFileSync(new URL('../../pipelines/audit/source.sql', import.meta.url), 'utf8')
  .match(/(CREATE|ALTER) TABLE[^;]+;/g)!
  .join('\n');

/** On services of its own, since they are killed. */
suite('every update of a random workload is in changes once, with the right row before and after', () => {
  const home = mkdtempSync(join(tmpdir(), 'tidegate-audit-'));
  let stack: RunningStack;
  let scenario: Scenario;

  before(async () => {
    stack = await startStack({ home, ports: 'auto' });
    scenario = await Scenario.open({
      ...{ label: 'audit', workers: 'child', environment: loadEnvironment().with(stack.env), start: false },
      ...{ ddl: DDL, stream: { partitions: audit.stream!.partitions }, tables: audit.tables },
    });
    const rows = [...people({ rows: 300, seed: 5 }).rows];
    await scenario.source.owner.query(
      `INSERT INTO my_table SELECT (r->>0)::int, r->>1, (r->>2)::timestamptz FROM jsonb_array_elements($1::jsonb) r`,
      [JSON.stringify(rows)],
    );
    await scenario.sql(logChanges('my_table'));
    await scenario.start();
  });
  after(async () => {
    await scenario?.[Symbol.asyncDispose]();
    await stack?.stop();
    rmSync(home, { recursive: true, force: true });
  });

  let seed = 1;
  /** Edits names all the while, and rows come and go besides, which is no update. Returns how many updates there are then. */
  async function whileEditing(work: () => Promise<void>): Promise<number> {
    const done = new AbortController();
    const traffic = runTraffic(
      {
        ...{ url: scenario.source.url, ratePerSecond: 60, signal: done.signal, seed },
        open: (url) => connectPostgres(url, { applicationName: 'tidegate scenario' }),
      },
      edits(seed++),
    );
    try {
      // Below the ids from which the traffic chooses.
      await scenario.sql('INSERT INTO my_table VALUES (-1, $$passing$$)');
      await work();
      await scenario.sql('DELETE FROM my_table WHERE id < 0');
    } finally {
      done.abort();
      await traffic;
    }
    return await compare();
  }

  async function compare(): Promise<number> {
    await scenario.waitUntilCaughtUp();
    return await assertHistory(scenario, { table: 'my_table', targets: ['changes'], operations: ['u'] });
  }

  /** Everything that the table holds, arrival times included. */
  async function fingerprint(): Promise<unknown> {
    return await scenario.clickhouse.rows(
      `SELECT count() AS changes, sum(cityHash64(*)) AS hash FROM ${scenario.pipeline.database}.changes FINAL`,
    );
  }

  async function untilMore(than: number): Promise<void> {
    const count = async () => {
      const [row] = (await fingerprint()) as { changes: string }[];
      return Number(row!.changes);
    };
    await until(count, (found) => found > than + 20, { what: 'changes arrive', state: () => scenario.describe() });
  }

  test('while nothing breaks', async () => {
    assert.ok((await whileEditing(() => untilMore(0))) > 20);
  });

  test('while the worker is killed, again and again', async () => {
    let known = await compare();
    for (let kill = 0; kill < 3; kill++) {
      known = await whileEditing(async () => {
        await untilMore(known);
        await scenario.killWorkers();
        scenario.startWorkers();
        await untilMore(known + 40);
      });
    }
  });

  test('while Kafka Connect is killed', async () => {
    const known = await compare();
    await whileEditing(async () => {
      const first = stack.pids['connect'];
      await stack.kill('connect', 'SIGKILL');
      await until(
        () => stack.pids['connect'],
        (pid) => pid !== 0 && pid !== first,
        { what: 'Kafka Connect is started again' },
      );
      await untilMore(known);
    });
  });

  test('and the dashboard counts them', async () => {
    const known = await compare();
    const settings = { database: scenario.pipeline.database };
    for (const { name, sql } of dashboard.queries) {
      const rows = await scenario.clickhouse.rows<Record<string, unknown>>(sql, {
        ...{ params: { operations: ['u'] }, settings },
      });
      assert.ok(rows.length > 0, name);
      if (name === 'totals') assert.equal(Number(rows[0]!['kept']), known);
    }
    const [filter] = dashboard.filters;
    assert.deepEqual(await scenario.clickhouse.rows(filter!.sql, { settings }), [{ value: 'u', label: 'update' }]);
  });

  test('and a restart changes nothing, not even when each change arrived', async () => {
    await compare();
    const kept = await fingerprint();
    await scenario.stopWorkers();
    scenario.startWorkers();
    await scenario.pause();
    await scenario.resume();
    await scenario.waitUntilCaughtUp();
    assert.deepEqual(await fingerprint(), kept);
  });
});
