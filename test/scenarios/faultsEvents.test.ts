import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Producer } from 'kafkajs';
import { committedOffsets, endOffsets } from '../../adapters/kafka.ts';
import { Scenario } from './harness.ts';
import type { Verdict } from './proxy.ts';
import { until } from './until.ts';

const PAUSE_MS = 20;

suite('faults, while events are sent, some of them twice: each is there once after, with the values that came first', () => {
  const topic = `faults.${process.pid}.events`;
  let scenario: Scenario;
  let producer: Producer;
  let last = 0;

  before(async () => {
    scenario = await Scenario.open({
      ...{ label: 'evfault', ddl: 'SELECT', tables: {}, workers: 'child' },
      further: {
        events: {
          beats: { topic, partitions: 2, key: ['id'], columns: { id: { type: 'Int64' }, note: { type: 'String' } } },
        },
      },
    });
    producer = scenario.kafka.producer();
    await producer.connect();
  });
  after(async () => {
    await producer?.disconnect();
    await scenario?.[Symbol.asyncDispose]();
  });

  /** Sends events until told to stop; each fifth is sent once more, with another value. */
  function send(): { stop: () => Promise<void> } {
    let stopping = false;
    const running = (async () => {
      while (!stopping) {
        const id = ++last;
        const key = String(id % 7);
        const notes = id % 5 === 0 ? ['first', 'again'] : ['first'];
        await producer.send({ topic, messages: notes.map((note) => ({ key, value: JSON.stringify({ id, note }) })) });
        await delay(PAUSE_MS);
      }
    })();
    running.catch(() => undefined);
    return {
      async stop() {
        stopping = true;
        await running;
      },
    };
  }

  const landing = async () => {
    const before = scenario.proxy.landed;
    await until(
      () => scenario.proxy.landed,
      (landed) => landed > before + 2,
      { what: 'batches land', state: () => scenario.describe() },
    );
  };

  async function whileSending(breakIt: () => Promise<void>): Promise<void> {
    const sending = send();
    try {
      await landing();
      await breakIt();
      scenario.proxy.rule = null;
      await landing();
    } finally {
      scenario.proxy.rule = null;
      await sending.stop();
    }
    const about = { group: scenario.pipeline.stream.consumerGroup, topics: [topic] };
    const ends = await endOffsets(scenario.kafka, [topic]);
    const behind = async () => {
      const committed = await committedOffsets(scenario.kafka, about);
      return [...ends].filter(([partition, end]) => (committed.get(partition) ?? 0n) < end);
    };
    await until(behind, (left) => left.length === 0, { what: 'all is committed', state: () => scenario.describe() });
    const [found] = await scenario.clickhouse.rows(
      `SELECT count() AS rows, uniqExact(id) AS ids, min(id) AS first, max(id) AS last, countIf(note = 'first') AS firsts
       FROM ${scenario.name}.beats_current`,
    );
    const all = String(last);
    assert.deepEqual(found, { rows: all, ids: all, first: '1', last: all, firsts: all });
  }

  async function dieAt(verdict: (then: () => void) => Verdict): Promise<void> {
    let done = false;
    scenario.proxy.rule = (statement) => {
      if (!/_landing`/.test(statement)) return { do: 'pass' };
      if (done) return { do: 'cut' };
      done = true;
      return verdict(() => void scenario.killWorkers());
    };
    await scenario.workersEnded();
    scenario.proxy.rule = null;
    scenario.startWorkers();
  }

  test('kill -9 of the worker before the insert', () => whileSending(() => dieAt((then) => ({ do: 'swallow', then }))));

  test('kill -9 of the worker after the insert, before its answer', () =>
    whileSending(() => dieAt((then) => ({ do: 'lose answer', then }))));

  for (const deathAt of ['before commit', 'during commit'] as const) {
    test(`kill -9 of the worker ${deathAt}`, () =>
      whileSending(async () => {
        await scenario.stopWorkers();
        scenario.startWorkers(deathAt);
        await scenario.workersEnded();
        scenario.startWorkers();
      }));
  }
});
