import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Kafka } from 'kafkajs';
import type pg from 'pg';
import { applyPlan, planPipeline } from '../../activities/planPipeline.ts';
import { ClickHouse } from '../../adapters/clickhouse.ts';
import { Connect } from '../../adapters/connect.ts';
import { type Definitions, loadDefinitions } from '../../adapters/definitions.ts';
import { type Environment, loadEnvironment } from '../../adapters/environment.ts';
import { openKafka } from '../../adapters/kafka.ts';
import { connectPostgres } from '../../adapters/postgres.ts';
import { dropSlot } from '../../adapters/replication.ts';
import { Temporal } from '../../adapters/temporal.ts';
import { describeWork } from '../../adapters/temporalWork.ts';
import { type Pipeline, type PipelineInput, streamTables } from '../../core/definition.ts';
import { TASK_QUEUES, topicOf, workflowIds } from '../../core/names.ts';
import { prepareSource } from '../../pipelines/source.ts';
import { worker } from '../../stack/services/worker.ts';
import { type RunningStack, startStack } from '../../stack/stack.ts';
import { chooseSources } from '../start/sources.ts';
import { ProcessMeter } from './process.ts';

export interface LabOptions {
  /** Where the stack of the benchmarks lives; forgotten first. */
  home: string;
  /** Rows of the table `items`. */
  rows: number;
  say: (line: string) => void;
  signal: AbortSignal;
  /** Whether the pipelines that ship are there, too, each with a small source. */
  pipelines: boolean;
}

/** Sizes of the tables, as multiples of LabOptions.rows. */
export const SCALES = [1, 4, 16] as const;

/** Name of the table of a size, of the pipeline that streams it, and of the one that loads it. */
export const itemsTable = (scale: number) => `items_${scale}x`;
export const streamPipeline = (scale: number) => `bench_stream_${scale}x`;
export const referencePipeline = (scale: number) => `bench_reference_${scale}x`;
/** Each snapshot is measured on a pipeline of its own. */
export const snapshotPipeline = (round: number) => `bench_snapshot_${round}`;
export const ROUNDS = 3;
/** Rows of the sources of pipelines that ship. */
const SMALL = 1000;
export const PINGS = 'bench_pings';

const source = { url: 'BENCH_DATABASE_URL', captureUrl: 'BENCH_CAPTURE_URL' };

/** A stack of its own with workers in a process of their own, as in real use, and the source that all sides read. */
export class Lab {
  readonly rows: number;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
  readonly environment: Environment;
  readonly clickhouse: ClickHouse;
  readonly connect: Connect;
  readonly kafka: Kafka;
  readonly temporal: Temporal;
  readonly definitions: Definitions;
  readonly owner: pg.Client;
  readonly ownerUrl: URL;
  readonly captureUrl: URL;
  /** The pipelines that ship, when they have sources. */
  readonly sourced: readonly string[];
  /** A session of the role that may replicate. */
  readonly capture: pg.Client;
  readonly #stack: RunningStack;

  private constructor(parts: {
    options: LabOptions;
    environment: Environment;
    stack: RunningStack;
    temporal: Temporal;
    definitions: Definitions;
    owner: pg.Client;
    captureUrl: URL;
    capture: pg.Client;
    sourced: readonly string[];
  }) {
    const { options, environment, stack, temporal, definitions, owner, captureUrl, capture, sourced } = parts;
    this.rows = options.rows;
    this.say = options.say;
    this.signal = options.signal;
    this.environment = environment;
    this.clickhouse = ClickHouse.from(environment);
    this.connect = Connect.from(environment);
    this.kafka = openKafka(environment);
    this.temporal = temporal;
    this.definitions = definitions;
    this.owner = owner;
    this.ownerUrl = environment.url(source.url);
    this.captureUrl = captureUrl;
    this.capture = capture;
    this.sourced = sourced;
    this.#stack = stack;
  }

  static async open(options: LabOptions): Promise<Lab> {
    const { home, say, signal } = options;
    const stack = await startStack({ home, ports: 'auto', fresh: true, onProgress: say, signal });
    try {
      const open = (url: URL) => connectPostgres(url, { applicationName: 'tidegate bench' });
      const urls = await prepareSource(
        {
          ...{ open, admin: new URL(stack.env['POSTGRES_URL']!), database: 'bench', folder: home, seed: 1 },
          ownerPassword: stack.secret('bench_owner'),
          capturePassword: stack.secret('capture'),
        },
        new URL('source.sql', import.meta.url),
      );
      const folder = await writeDefinitions(home);
      stack.publish({
        ...{ BENCH_DATABASE_URL: urls.owner.href, BENCH_CAPTURE_URL: urls.capture.href, TIDEGATE_PIPELINES: folder },
      });
      const sources = options.pipelines ? await chooseSources(await loadDefinitions([]), []) : [];
      for (const { pipeline, generator } of sources) {
        const { env } = await generator.create({
          ...{ open, admin: new URL(stack.env['POSTGRES_URL']!), database: generator.database, seed: 1, rows: SMALL },
          ...{ folder: join(home, pipeline.name), capturePassword: stack.secret('capture') },
          ownerPassword: stack.secret(`${generator.database}_owner`),
        });
        stack.publish(env);
      }
      const environment = loadEnvironment().with(stack.env);
      await stack.run(worker(stack.env, Object.values(TASK_QUEUES)));
      return new Lab({
        ...{ options, environment, stack, captureUrl: urls.capture },
        temporal: await Temporal.connect(environment),
        definitions: await loadDefinitions(environment.pipelineFolders),
        owner: await open(urls.owner),
        capture: await open(urls.capture),
        sourced: sources.map(({ pipeline }) => pipeline.name),
      });
    } catch (error) {
      await stack.stop();
      throw error;
    }
  }

  async close(): Promise<void> {
    await Promise.allSettled([this.owner.end(), this.capture.end()]);
    await this.#stack.stop();
    await this.temporal.close();
    await this.clickhouse.close();
  }

  pipeline(name: string): Pipeline {
    return this.definitions.get(name).pipeline;
  }

  topic(name: string): string {
    const pipeline = this.pipeline(name);
    return topicOf(pipeline, streamTables(pipeline)[0]!);
  }

  /** A meter of one process of the stack: `worker`, `clickhouse`, `postgres` ... */
  meter(service: string): ProcessMeter {
    return new ProcessMeter(this.#stack.pids[service]!);
  }

  /** Makes the table of a size, if it is not there: five columns of usual types. */
  async fillItems(scale: number): Promise<number> {
    const rows = this.rows * scale;
    const table = itemsTable(scale);
    const found = await this.owner.query('SELECT to_regclass($1) AS name', [table]);
    if (found.rows[0].name === null) {
      this.say(`source     ${table}: ${rows.toLocaleString('en')} rows`);
      await this.owner.query(`CREATE TABLE ${table} (id bigint PRIMARY KEY, name text NOT NULL, category text,
        price numeric(10,2) NOT NULL, updated_at timestamptz NOT NULL)`);
      await this.owner.query(`INSERT INTO ${table} SELECT n, 'Article number ' || n,
        CASE WHEN n % 10 > 0 THEN 'Category ' || n % 40 END, (n * 7919 % 1000000)::numeric / 100,
        timestamptz '2024-01-01' + n * interval '13.000457 s' FROM generate_series(1, ${rows}::bigint) AS n`);
      await this.owner.query(`GRANT SELECT ON ${table} TO debezium`);
      await this.owner.query(`VACUUM (ANALYZE) ${table}`);
    }
    return rows;
  }

  /** Applies a pipeline and starts its stream; returns when changes flow. */
  async startStream(name: string): Promise<void> {
    await this.apply(name);
    await this.temporal.startSupervisor(name);
    await this.phase(name, 'streaming');
  }

  async apply(name: string): Promise<void> {
    await applyPlan(await planPipeline(this, name));
  }

  /** Ends a stream and takes away what it holds at the source. Its target stays. */
  async endStream(name: string): Promise<void> {
    const { connector, slot } = this.pipeline(name).stream;
    await this.temporal.client.workflow.getHandle(workflowIds.supervisor(name)).terminate();
    await this.connect.delete(connector);
    await dropSlot(this.capture, slot);
  }

  async pause(name: string): Promise<void> {
    await this.temporal.signalStream(name, 'pause');
    await this.phase(name, 'paused');
  }

  async phase(name: string, wanted: string): Promise<void> {
    await this.until(`${name} is ${wanted}`, async () => {
      const status = (await this.temporal.stream(name))?.status;
      if (status?.phase === 'failed') throw new Error(`${name}: ${status.reason}`);
      return status?.phase === wanted;
    });
  }

  /** Seconds that a workflow ran, from its start to its end. */
  async workflowSeconds(workflowId: string): Promise<number> {
    let seconds = 0;
    await this.until(`${workflowId} has ended`, async () => {
      const work = await describeWork(this.temporal.client, workflowId);
      if (!work?.closedAt) return false;
      if (work.status !== 'COMPLETED') throw new Error(`${workflowId} ended as ${work.status}`);
      seconds = (work.closedAt.getTime() - work.startedAt.getTime()) / 1000;
      return true;
    });
    return seconds;
  }

  /** Asks until it is so; gives up when that takes longer than anything here should. */
  async until(what: string, isSo: () => Promise<boolean>, options: { everyMs?: number } = {}): Promise<void> {
    const deadline = Date.now() + 20 * 60_000;
    while (!(await isSo())) {
      this.signal.throwIfAborted();
      if (Date.now() > deadline) throw new Error(`in twenty minutes it did not happen that ${what}`);
      await sleep(options.everyMs ?? 50, undefined, { signal: this.signal });
    }
  }

  async count(table: string): Promise<number> {
    const [row] = await this.clickhouse.rows<{ rows: string }>(`SELECT count() AS rows FROM ${table}`);
    return Number(row!.rows);
  }
}

/** @returns the folder for TIDEGATE_PIPELINES. */
async function writeDefinitions(home: string): Promise<string> {
  const folder = join(home, 'bench');
  const definitions: PipelineInput[] = [
    { name: PINGS, source, tables: { pings: {} } },
    ...Array.from({ length: ROUNDS + 1 }, (_, round) => ({
      ...{ name: snapshotPipeline(round), source, tables: { [itemsTable(1)]: {} } },
    })),
    ...SCALES.flatMap((scale): PipelineInput[] => [
      { name: streamPipeline(scale), source, tables: { [itemsTable(scale)]: {} } },
      {
        name: referencePipeline(scale),
        source,
        tables: { [itemsTable(scale)]: { load: 'reference', schedule: '0 3 * * *' } },
      },
    ]),
  ];
  for (const definition of definitions) {
    await mkdir(join(folder, definition.name), { recursive: true });
    await writeFile(join(folder, definition.name, 'pipeline.ts'), `export default ${JSON.stringify(definition)};\n`);
  }
  return folder;
}

/** Runs the work and returns its seconds. */
export async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}
