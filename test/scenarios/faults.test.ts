import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { Scenario } from './harness.ts';
import type { Verdict } from './proxy.ts';
import { until } from './until.ts';

/** Writes rows while something breaks, so that there is always something on its way. */
class Writer {
  readonly #scenario: Scenario;
  #stopping = false;
  #running: Promise<void> | null = null;

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
  }

  start(): void {
    this.#stopping = false;
    this.#running = this.#write();
    this.#running.catch(() => undefined);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#running;
  }

  async #write(): Promise<void> {
    for (let i = 0; !this.#stopping; i++) {
      await this.#scenario.sql(`
        INSERT INTO items VALUES (${1000 + (i % 700)}, 'new', ${i}) ON CONFLICT (id) DO UPDATE SET n = EXCLUDED.n;
        UPDATE items SET n = n + 1 WHERE id % 100 = ${i % 100};
        DELETE FROM items WHERE id % 310 = ${i % 310} AND id > 100;
        INSERT INTO others VALUES (DEFAULT, ${i})`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

suite('faults, while rows are written: source and target are equal after', () => {
  let scenario: Scenario;
  let writer: Writer;

  before(async () => {
    scenario = await Scenario.open({
      ...{ label: 'fault', workers: 'child', tables: ['items', 'others'] },
      ddl: `
        CREATE TABLE items (id int PRIMARY KEY, v text, n int); INSERT INTO items SELECT i, 'first', 0 FROM generate_series(1, 500) i;
        CREATE TABLE others (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v int)`,
    });
    writer = new Writer(scenario);
  });
  after(() => scenario?.[Symbol.asyncDispose]());

  /** Breaks something while rows are written, goes on writing, and compares. */
  async function whileWriting(breakIt: () => Promise<void>): Promise<void> {
    writer.start();
    try {
      await untilLanding();
      await breakIt();
      scenario.proxy.rule = null;
      await untilLanding();
    } finally {
      scenario.proxy.rule = null;
      await writer.stop();
    }
    await scenario.assertEqual();
  }

  async function untilLanding(): Promise<void> {
    const before = scenario.proxy.landed;
    await until(
      () => scenario.proxy.landed,
      (landed) => landed > before + 2,
      {
        what: 'batches land',
        state: () => scenario.describe(),
      },
    );
  }

  /** Lets the proxy act on one INSERT, and waits until the workers have died of it. */
  async function dieAt(verdict: (then: () => void) => Verdict): Promise<void> {
    let done = false;
    scenario.proxy.rule = () => {
      if (done) return { do: 'cut' };
      done = true;
      return verdict(() => void scenario.killWorkers());
    };
    await scenario.workersEnded();
    scenario.proxy.rule = null;
    scenario.startWorkers();
  }

  test('kill -9 of the worker before the insert', () => whileWriting(() => dieAt((then) => ({ do: 'swallow', then }))));

  test('kill -9 of the worker after the insert, before its answer', () =>
    whileWriting(() => dieAt((then) => ({ do: 'lose answer', then }))));

  for (const deathAt of ['before commit', 'during commit'] as const) {
    test(`kill -9 of the worker ${deathAt}`, () =>
      whileWriting(async () => {
        await scenario.stopWorkers();
        scenario.startWorkers(deathAt);
        await scenario.workersEnded();
        scenario.startWorkers();
      }));
  }

  test('an insert done, but its answer lost', () =>
    whileWriting(async () => {
      let lost = 0;
      scenario.proxy.rule = (): Verdict => (++lost % 2 === 0 ? { do: 'pass' } : { do: 'lose answer and cut' });
      await until(
        () => lost,
        (count) => count > 6,
        { what: 'answers are lost', state: () => scenario.describe() },
      );
    }));

  test('ClickHouse refusing connections for a while', () =>
    whileWriting(async () => {
      let refused = 0;
      scenario.proxy.rule = () => {
        refused++;
        return { do: 'cut' };
      };
      await until(
        () => refused,
        (count) => count > 8,
        { what: 'inserts are refused', state: () => scenario.describe() },
      );
    }));

  for (const [code, message] of [
    [252, 'Too many parts (300). Merges are processing significantly slower than inserts. (TOO_MANY_PARTS)'],
    [241, 'Memory limit (total) exceeded. (MEMORY_LIMIT_EXCEEDED)'],
    [243, 'Cannot reserve 1.00 MiB, not enough space. (NOT_ENOUGH_SPACE)'],
    [999, 'Something that no release has had yet. (UNHEARD_OF)'],
  ] as const) {
    test(`ClickHouse refusing with code ${code} for a while`, () =>
      whileWriting(async () => {
        let refused = 0;
        scenario.proxy.rule = () => {
          refused++;
          return { do: 'refuse', status: 500, code, message };
        };
        await until(
          () => refused,
          (count) => count > 6,
          { what: 'inserts are refused', state: () => scenario.describe() },
        );
      }));
  }

  test('the connector deleted', () =>
    whileWriting(async () => {
      const { connector } = scenario.pipeline.stream;
      await scenario.connect.delete(connector);
      await until(
        () => scenario.connect.status(connector),
        (status) => status?.tasks[0]?.state === 'RUNNING',
        {
          what: 'the connector runs again',
          state: () => scenario.describe(),
        },
      );
    }));

  test("the connector's session killed", () =>
    whileWriting(async () => {
      await scenario.source.admin.query(
        'SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = $1 AND active',
        [scenario.pipeline.stream.slot],
      );
    }));

  test('the supervisor started twice', () =>
    whileWriting(async () => {
      const before = await scenario.status();
      await Promise.all([1, 2, 3].map(() => scenario.temporal.startSupervisor(scenario.name)));
      assert.equal((await scenario.status())?.work.runId, before?.work.runId);
    }));

  test('workers stopped and started', () =>
    whileWriting(async () => {
      await scenario.stopWorkers();
      scenario.startWorkers();
    }));

  test('the supervisor terminated and started again', () =>
    whileWriting(async () => {
      await scenario.temporal.client.workflow.getHandle(`stream-${scenario.name}`).terminate('a test');
      await scenario.temporal.startSupervisor(scenario.name);
      await scenario.waitUntilStreaming();
    }));

  test('the slot dropped', () =>
    whileWriting(async () => {
      const { admin } = scenario.source;
      const { slot, connector } = scenario.pipeline.stream;
      const snapshots = async () => {
        const rows = await scenario.clickhouse.rows(
          `SELECT DISTINCT consistent_point FROM ${scenario.name}.tidegate_snapshots WHERE state = 'finished'`,
        );
        return rows.length;
      };
      const earlier = await snapshots();
      await scenario.connect.stop(connector);
      const drop = () =>
        admin
          .query('SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1', [slot])
          .then(
            () => true,
            () => false,
          );
      await until(drop, (dropped) => dropped, { what: 'the slot is dropped' });
      await until(snapshots, (count) => count > earlier, { what: 'a new snapshot', state: () => scenario.describe() });
      await scenario.waitUntilStreaming();
    }));
});
