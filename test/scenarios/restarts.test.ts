import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { findEngine } from '../../activities/kafkaEngine.ts';
import { loadEnvironment } from '../../adapters/environment.ts';
import { type RunningStack, type ServiceName, startStack } from '../../stack/stack.ts';
import { Scenario } from './harness.ts';
import { FaultLab } from './writer.ts';

/** On services of their own, since they are killed. */
suite('services that go away while rows are written: source and target are equal after', () => {
  const home = mkdtempSync(join(tmpdir(), 'tidegate-restarts-'));
  let stack: RunningStack;
  let lab: FaultLab;

  before(async () => {
    stack = await startStack({ home, ports: 'auto' });
    lab = await FaultLab.open({ label: 'away', environment: loadEnvironment().with(stack.env) });
  });
  after(async () => {
    await lab?.[Symbol.asyncDispose]();
    await stack?.stop();
    rmSync(home, { recursive: true, force: true });
  });

  /** Ends a service, which the stack starts again, and waits until it answers. */
  async function kill(service: ServiceName, signal: NodeJS.Signals, answers: () => Promise<unknown>): Promise<void> {
    const first = stack.pids[service];
    await stack.kill(service, signal);
    await lab.until(`${service} is started again`, () => ![0, first].includes(stack.pids[service]));
    const answered = () =>
      answers().then(
        () => true,
        () => false,
      );
    await lab.until(`${service} answers`, answered);
  }

  test('ClickHouse down', () =>
    lab.whileWriting(() => kill('clickhouse', 'SIGKILL', () => lab.scenario.clickhouse.ping())));

  test('ClickHouse down, that takes the changes in by itself', async () => {
    await using scenario = await Scenario.open({
      ...{ label: 'reads', environment: loadEnvironment().with(stack.env), tables: ['t'] },
      further: { stream: { ingest: 'kafka-engine' } },
      ddl: 'CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t SELECT i, 0 FROM generate_series(1, 1000) i',
    });
    const { clickhouse, pipeline } = scenario;
    const reads = async () => (await findEngine(clickhouse, pipeline).catch(() => null)) !== null;
    await lab.until('ClickHouse reads', reads);
    await scenario.sql('UPDATE t SET v = v + 1');
    await kill('clickhouse', 'SIGKILL', () => clickhouse.ping());
    await scenario.sql('UPDATE t SET v = v + 1; DELETE FROM t WHERE id % 3 = 0');
    await scenario.assertEqual();
    await lab.until('ClickHouse reads again', reads);
  });

  test('Kafka restarted', () =>
    lab.whileWriting(() =>
      kill('kafka', 'SIGKILL', async () => {
        const admin = lab.scenario.kafka.admin();
        await admin.connect();
        await admin.listTopics().finally(() => admin.disconnect());
      }),
    ));

  test('Connect killed', () =>
    lab.whileWriting(() => kill('connect', 'SIGKILL', () => lab.scenario.connect.plugins())));

  test('PostgreSQL restarted', () =>
    lab.whileWriting(async () => {
      await stack.restart('postgres');
      await lab.scenario.source.reopen();
    }));

  test('PostgreSQL broken off, so that it has to recover', () =>
    lab.whileWriting(() => kill('postgres', 'SIGQUIT', () => lab.scenario.source.reopen())));

  test('Temporal restarted', () =>
    lab.whileWriting(() =>
      kill('temporal', 'SIGKILL', async () => {
        if (!(await lab.scenario.status())?.answered) throw new Error('nobody answers');
      }),
    ));
});
