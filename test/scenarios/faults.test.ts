import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Consumer } from 'kafkajs';
import type { StreamProgress } from '../../core/activityTypes.ts';
import type { Scenario } from './harness.ts';
import type { Verdict } from './proxy.ts';
import { FaultLab } from './writer.ts';

suite('faults, while rows are written: source and target are equal after', () => {
  let lab: FaultLab;
  let scenario: Scenario;

  before(async () => {
    lab = await FaultLab.open({ label: 'fault' });
    scenario = lab.scenario;
  });
  after(() => lab?.[Symbol.asyncDispose]());

  /** Lets the proxy act on one INSERT, and waits until the workers have died of it. */
  async function dieAt(verdict: (then: () => void) => Verdict, which = /_landing`/): Promise<void> {
    let done = false;
    scenario.proxy.rule = (statement) => {
      if (!which.test(statement)) return { do: 'pass' };
      if (done) return { do: 'cut' };
      done = true;
      return verdict(() => void scenario.killWorkers());
    };
    await scenario.workersEnded();
    scenario.proxy.rule = null;
    scenario.startWorkers();
  }

  test('kill -9 of the worker before the insert', () =>
    lab.whileWriting(() => dieAt((then) => ({ do: 'swallow', then }))));

  test('kill -9 of the worker after the insert, before its answer', () =>
    lab.whileWriting(() => dieAt((then) => ({ do: 'lose answer', then }))));

  for (const deathAt of ['before commit', 'during commit'] as const) {
    test(`kill -9 of the worker ${deathAt}`, () =>
      lab.whileWriting(async () => {
        await scenario.stopWorkers();
        scenario.startWorkers(deathAt);
        await scenario.workersEnded();
        scenario.startWorkers();
      }));
  }

  test('an insert done, but its answer lost', () =>
    lab.whileWriting(async () => {
      let lost = 0;
      scenario.proxy.rule = (): Verdict => (++lost % 2 === 0 ? { do: 'pass' } : { do: 'lose answer and cut' });
      await lab.until('answers are lost', () => lost > 6);
    }));

  test('ClickHouse refusing connections for a while', () =>
    lab.whileWriting(async () => {
      let refused = 0;
      scenario.proxy.rule = () => {
        refused++;
        return { do: 'cut' };
      };
      await lab.until('inserts are refused', () => refused > 8);
    }));

  test('ClickHouse slow', () =>
    lab.whileWriting(async () => {
      let slowed = 0;
      scenario.proxy.rule = () => ({ do: 'hold', until: delay(500).then(() => slowed++) });
      await lab.until('inserts are slow', () => slowed > 6);
    }));

  for (const [name, code, message] of [
    [
      'ClickHouse refusing with "too many parts"',
      252,
      'Too many parts (300). Merges are processing slower than inserts',
    ],
    ['ClickHouse out of memory', 241, 'Memory limit (total) exceeded'],
    ['the disk full', 243, 'Cannot reserve 1.00 MiB, not enough space'],
    ['ClickHouse refusing for a reason that no release has had yet', 999, 'Something unheard of'],
  ] as const) {
    test(`${name}, which the stream says and bears with`, () =>
      lab.whileWriting(async () => {
        let refused = 0;
        scenario.proxy.rule = () => {
          refused++;
          return { do: 'refuse', status: 500, code, message };
        };
        await lab.until('inserts are refused', () => refused > 6);
        await lab.until('it is said', async () => (await problem())?.includes(message) ?? false);
      }));
  }

  /** What is wrong at the moment, as the stream's heartbeat says. */
  async function problem(): Promise<string | null> {
    const view = await scenario.status();
    const stream = view?.work.activities.find(({ type }) => type === 'runStream');
    return (stream?.heartbeat as StreamProgress | null | undefined)?.problem ?? null;
  }

  test('a rebalance during a flush', () =>
    lab.whileWriting(async () => {
      const released = Promise.withResolvers<void>();
      let held = 0;
      scenario.proxy.rule = () => {
        held++;
        return { do: 'hold', until: released.promise };
      };
      await lab.until('a flush is under way', () => held > 0);
      const other = await joinGroup();
      released.resolve();
      scenario.proxy.rule = null;
      await other.disconnect();
    }));

  /** Another member of the stream's group, which is given partitions, reads nothing and commits nothing. */
  async function joinGroup(): Promise<Consumer> {
    const consumer = scenario.kafka.consumer({ groupId: scenario.pipeline.stream.consumerGroup });
    const joined = new Promise((resolve) => consumer.on(consumer.events.GROUP_JOIN, resolve));
    await consumer.connect();
    await consumer.subscribe({ topics: scenario.topics });
    await consumer.run({ autoCommit: false, eachBatchAutoResolve: false, eachBatch: async () => undefined });
    await joined;
    return consumer;
  }

  test('a reference load killed half way', async () => {
    const load = async () => await scenario.temporal.startLoad(scenario.name, 'priced');
    const finished = (id: string) => scenario.temporal.client.workflow.getHandle(id).result();
    const earlier = async () => {
      const [row] = await scenario.clickhouse.rows<{ rows: string }>(
        `SELECT count() AS rows FROM ${scenario.name}.priced WHERE price = id / 4`,
      );
      return Number(row!.rows);
    };
    await finished(await load());
    await scenario.assertEqualNow('priced');
    await scenario.sql('UPDATE priced SET price = price + 1; DELETE FROM priced WHERE id % 7 = 0');
    await lab.whileWriting(async () => {
      const dying = dieAt((then) => ({ do: 'lose answer', then }), /_copy`/);
      await load();
      await dying;
      assert.equal(await earlier(), 5000, 'the load before stays until the next one is whole');
    });
    await finished(await load());
    await scenario.assertEqualNow('priced');
    const left = await scenario.clickhouse.rows('SELECT name FROM system.tables WHERE database = {name:String}', {
      params: { name: scenario.name },
    });
    assert.deepEqual(
      left.filter((table) => /copy|staging/.test((table as { name: string }).name)),
      [],
    );
  });

  test('the connector deleted', () =>
    lab.whileWriting(async () => {
      const { connector } = scenario.pipeline.stream;
      await scenario.connect.delete(connector);
      await lab.until(
        'the connector runs again',
        async () => (await scenario.connect.status(connector))?.tasks[0]?.state === 'RUNNING',
      );
    }));

  test("the connector's session killed", () =>
    lab.whileWriting(async () => {
      await scenario.source.admin.query(
        'SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = $1 AND active',
        [scenario.pipeline.stream.slot],
      );
    }));

  test('the supervisor started twice', () =>
    lab.whileWriting(async () => {
      const before = await scenario.status();
      await Promise.all([1, 2, 3].map(() => scenario.temporal.startSupervisor(scenario.name)));
      assert.equal((await scenario.status())?.work.runId, before?.work.runId);
    }));

  test('workers stopped and started', () =>
    lab.whileWriting(async () => {
      await scenario.stopWorkers();
      scenario.startWorkers();
    }));

  test('the supervisor terminated and started again', () =>
    lab.whileWriting(async () => {
      await scenario.temporal.client.workflow.getHandle(`stream-${scenario.name}`).terminate('a test');
      await scenario.temporal.startSupervisor(scenario.name);
      await scenario.waitUntilStreaming();
    }));

  test('the slot dropped', () => lab.whileWriting(() => scenario.loseSlot()));
});
