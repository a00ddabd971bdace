import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { loadEnvironment } from '../../adapters/environment.ts';
import { followVerify } from '../../adapters/temporalWork.ts';
import type { RelayProgress } from '../../core/activityTypes.ts';
import { type RunningStack, startStack } from '../../stack/stack.ts';
import { Scenario } from './harness.ts';
import { until } from './until.ts';
import { startChild, type Workers, workerLog } from './workers.ts';

/** OUTBOX_ROWS=100000 is the size that a release is proven with; each kill costs the time after which it is noticed. */
const ROWS = Number(process.env['OUTBOX_ROWS'] ?? 20_000);
const PARTS = 4;

/** On services of its own, since the broker is killed. */
suite('an outbox under kill -9 of everything on the way', () => {
  const home = mkdtempSync(join(tmpdir(), 'tidegate-outbox-'));
  let stack: RunningStack;
  let scenario: Scenario;
  const workers: { pid: number; workers: Workers }[] = [];

  before(async () => {
    stack = await startStack({ home, ports: 'auto' });
    scenario = await Scenario.open({
      ...{ label: 'post', tables: {}, workers: 'child', start: false, environment: loadEnvironment().with(stack.env) },
      ddl: `CREATE TABLE post (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, who text NOT NULL, what text NOT NULL,
              at timestamptz NOT NULL, gone boolean NOT NULL DEFAULT false);
            CREATE INDEX ON post (id) WHERE NOT gone; GRANT UPDATE (gone) ON post TO PUBLIC`,
      further: {
        events: {
          mails: {
            ...{ topic: 'mails', partitions: 3, key: ['id'] },
            columns: {
              ...{ id: { type: 'Int64' }, who: { type: 'String' }, what: { type: 'String' } },
              at: { type: 'DateTime', epoch: 'seconds' },
            },
          },
        },
        outboxes: {
          post: {
            ...{ event: 'mails', id: 'id', sent: 'gone', partitionBy: 'who', batch: 250 },
            fields: { id: 'id', who: 'who', what: 'what', at: { column: 'at', epoch: 'seconds' } },
          },
        },
      },
    });
    startWorkers();
    startWorkers();
    await scenario.temporal.startSupervisor(scenario.name);
    await scenario.temporal.startRelay(scenario.name);
  });
  after(async () => {
    await Promise.all(workers.map((each) => each.workers.stop()));
    await scenario?.[Symbol.asyncDispose]();
    await stack?.stop();
    rmSync(home, { recursive: true, force: true });
  });

  function startWorkers(): void {
    const started = startChild({ environment: scenario.environment });
    workers.push({ pid: started.pid, workers: started });
  }

  const state = async () => {
    const relay = await scenario.temporal.relay(scenario.name);
    return `relay: ${JSON.stringify({ ...relay?.status, activities: relay?.work.activities })}\nworkers:\n${workerLog()}`;
  };
  const sent = async () =>
    Number((await scenario.source.admin.query('SELECT count(*) AS rows FROM post WHERE gone')).rows[0].rows);
  const wait = <T>(what: string, ask: () => Promise<T>, wanted: (answer: T) => boolean) =>
    until(ask, wanted, { what, state, deadlineMs: 300_000 });

  /** kill -9 of the process that runs an activity now, and another one in its place. */
  async function killWorkerOf(workflowId: string, activity: string): Promise<void> {
    const running = async () => {
      const { raw } = await scenario.temporal.client.workflow.getHandle(workflowId).describe();
      const pending = (raw.pendingActivities ?? []).find((each) => each.activityType?.name === activity);
      return pending?.lastWorkerIdentity ? Number.parseInt(pending.lastWorkerIdentity, 10) : 0;
    };
    const pid = await wait(`${activity} runs`, running, (found) => workers.some((each) => each.pid === found));
    const at = workers.findIndex((each) => each.pid === pid);
    const [victim] = workers.splice(at, 1);
    await victim!.workers.kill();
    startWorkers();
  }

  const kills: [what: string, kill: () => Promise<void>][] = [
    ['the worker that relays', () => killWorkerOf(`outbox-${scenario.name}`, 'runRelay')],
    ['the worker that streams', () => killWorkerOf(`stream-${scenario.name}`, 'runStream')],
    ['the broker', () => stack.kill('kafka', 'SIGKILL')],
    ['the worker that relays, again', () => killWorkerOf(`outbox-${scenario.name}`, 'runRelay')],
  ];

  test(`${ROWS} rows land once and in each user's order, and all are marked`, { timeout: 850_000 }, async () => {
    const part = ROWS / PARTS;
    const begun = performance.now();
    for (const [index, [what, kill]] of kills.entries()) {
      const earlier = await sent();
      await scenario.sql(
        `INSERT INTO post (who, what, at) SELECT 'user ' || (i * 7919) % 97, 'mail ' || i, timestamptz '2024-01-01Z' + i * interval '1 s'
         FROM generate_series(${index * part + 1}, ${(index + 1) * part}) i`,
      );
      await wait(`rows are sent before ${what} is killed`, sent, (rows) => rows > earlier);
      await kill();
      const left = ROWS * ((index + 1) / PARTS) - (await sent());
      console.log(`# ${what} killed after ${((performance.now() - begun) / 1000).toFixed(0)} s, ${left} rows unsent`);
    }
    await wait('all rows are marked', sent, (rows) => rows === ROWS);
    const workflowId = await scenario.temporal.startVerify(scenario.name);
    const report = await followVerify(scenario.temporal.client, { workflowId, onActivities: () => {} });
    assert.deepEqual(
      report.tables.map(({ table, sourceRows, targetRows, equal }) => [table, sourceRows, targetRows, equal]),
      [['mails', ROWS, ROWS, true]],
    );
    console.log(`# all landed after ${((performance.now() - begun) / 1000).toFixed(0)} s`);

    // Once more by means of its own: every row by id and value, and the order in which each user's came.
    const { name, clickhouse, source } = scenario;
    const landed = await clickhouse.rows<{ row: string }>(
      `SELECT concat(toString(id), '|', who, '|', what, '|', toString(toUnixTimestamp(at))) AS row FROM ${name}.mails_current ORDER BY id`,
    );
    const { rows } = await source.admin.query<{ row: string }>(
      "SELECT id || '|' || who || '|' || what || '|' || extract(epoch FROM at)::bigint AS row FROM post ORDER BY id",
    );
    assert.equal(landed.length, ROWS);
    assert.ok(
      landed.every(({ row }, index) => row === rows[index]?.row),
      'every value is the same',
    );
    const [order] = await clickhouse.rows(
      `SELECT count() AS users, countIf(NOT inOrder) AS disordered, countIf(partitions > 1) AS scattered FROM (
         SELECT who, arraySort(groupArray((_offset, id))).2 AS ids, ids = arraySort(ids) AS inOrder, uniqExact(_partition) AS partitions
         FROM ${name}.mails FINAL GROUP BY who)`,
    );
    assert.deepEqual(order, { users: '97', disordered: '0', scattered: '0' });
  });

  test('a broker that is away is told of by the relay, and nothing is lost', { timeout: 200_000 }, async () => {
    await scenario.temporal.signalStream(scenario.name, 'pause');
    const broker = stack.pids.kafka ?? 0;
    process.kill(broker, 'SIGSTOP');
    await scenario.sql("INSERT INTO post (who, what, at) SELECT 'late', 'mail', now() FROM generate_series(1, 100)");
    const problem = async () => {
      const view = await scenario.temporal.relay(scenario.name);
      const beat = view?.work.activities.find(({ type }) => type === 'runRelay')?.heartbeat as
        | RelayProgress
        | undefined;
      return beat?.outboxes['post']?.problem ?? '';
    };
    await wait('the relay says why', problem, (text) => /have not acknowledged|Kafka failed/.test(text));
    assert.equal(await sent(), ROWS);
    process.kill(broker, 'SIGCONT');
    await wait('the rows are sent', sent, (rows) => rows === ROWS + 100);
    await scenario.resume();
    await wait(
      'they land',
      () => scenario.clickhouse.rows<{ rows: string }>(`SELECT count() AS rows FROM ${scenario.name}.mails_current`),
      ([counted]) => Number(counted?.rows) === ROWS + 100,
    );
  });
});
