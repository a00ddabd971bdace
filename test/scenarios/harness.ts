import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Kafka } from 'kafkajs';
import { landedOffsets } from '../../activities/kafkaEngine.ts';
import { ClickHouse } from '../../adapters/clickhouse.ts';
import { Connect } from '../../adapters/connect.ts';
import { Definitions } from '../../adapters/definitions.ts';
import { type Environment, loadEnvironment } from '../../adapters/environment.ts';
import { endOffsets, openKafka } from '../../adapters/kafka.ts';
import { type StreamView, Temporal } from '../../adapters/temporal.ts';
import type { ResyncDone } from '../../core/activityTypes.ts';
import {
  type Pipeline,
  type PipelineInput,
  type PipelineTable,
  parsePipeline,
  streamTables,
} from '../../core/definition.ts';
import { chIdentifier } from '../../core/identifiers.ts';
import { streamLanes } from '../../core/lanes.ts';
import { differences } from './compare.ts';
import { type ClickHouseProxy, startProxy } from './proxy.ts';
import { closeNamespace, dropFromKafka, openNamespace } from './services.ts';
import { createSource, type SourceDatabase } from './source.ts';
import { until } from './until.ts';
import { type DeathAt, sharedBundle, startChild, startInProcess, type Workers, workerLog } from './workers.ts';

export interface ScenarioOptions {
  /** Begins the names of everything that the scenario makes; a to z. */
  label: string;
  /** Run by the owner before anything else: tables and their first rows. */
  ddl: string;
  /** The tables to replicate, as a definition names them, or as it describes them. */
  tables: readonly string[] | PipelineInput['tables'];
  /** What the definition has besides tables; topics get the scenario's name in front of theirs. */
  further?: Pick<PipelineInput, 'stream' | 'events' | 'outboxes' | 'views' | 'marts'>;
  /** Files of the definition's folder, by name. */
  files?: Readonly<Record<string, string>>;
  /** What else the definition says of its stream; default: nothing. */
  stream?: PipelineInput['stream'];
  /** Where the workers run; default: in this process. */
  workers?: 'in process' | 'child';
  /** Default: true. Otherwise nothing runs before start(). */
  start?: boolean;
  /** The services' addresses; default: those of the running stack. */
  environment?: Environment;
}

/**
 * One pipeline on the running stack (TIDEGATE_HOME) with a database, a namespace and names of its own. Everything is
 * taken away when it is disposed of.
 */
export class Scenario implements AsyncDisposable {
  readonly name: string;
  pipeline: Pipeline;
  readonly environment: Environment;
  readonly source: SourceDatabase;
  readonly proxy: ClickHouseProxy;
  readonly clickhouse: ClickHouse;
  readonly connect: Connect;
  readonly kafka: Kafka;
  readonly temporal: Temporal;
  /** What workers that are started from now on find in their environment besides. */
  settings: Record<string, string> = {};
  readonly definitions: Definitions;
  readonly #folder: string;
  readonly #input: PipelineInput;
  #edits = 0;
  readonly #inProcess: boolean;
  #workers: Workers | null = null;
  #askAgainAt = 0;

  private constructor(parts: {
    pipeline: Pipeline;
    input: PipelineInput;
    environment: Environment;
    source: SourceDatabase;
    proxy: ClickHouseProxy;
    clickhouse: ClickHouse;
    temporal: Temporal;
    folder: string;
    inProcess: boolean;
  }) {
    const { pipeline, input, environment, source, proxy, clickhouse, temporal, folder, inProcess } = parts;
    this.name = pipeline.name;
    this.pipeline = pipeline;
    this.environment = environment;
    this.source = source;
    this.proxy = proxy;
    this.temporal = temporal;
    this.clickhouse = clickhouse;
    this.connect = Connect.from(environment);
    this.kafka = openKafka(environment);
    const found = () => ({ pipeline: this.pipeline, folder, hash: `scenario ${this.#edits}` });
    this.definitions = new Definitions(
      new Map([[pipeline.name, found()]]),
      async () => new Map([[pipeline.name, found()]]),
    );
    this.#folder = folder;
    this.#input = input;
    this.#inProcess = inProcess;
  }

  static async open(options: ScenarioOptions): Promise<Scenario> {
    const {
      label,
      ddl,
      tables,
      further = {},
      files = {},
      stream = {},
      workers = 'in process',
      start = true,
      environment: outer = loadEnvironment(),
    } = options;
    const name = `${label}_${randomBytes(4).toString('hex')}`;
    const source = await createSource(outer.url('POSTGRES_URL'), name);
    await source.owner.query(ddl);
    const proxy = await startProxy(outer.url('CLICKHOUSE_URL'));
    const variable = name.toUpperCase();
    const input: PipelineInput = {
      ...{ name, source: { url: `${variable}_URL`, captureUrl: `${variable}_CAPTURE_URL` } },
      stream,
      tables: isList(tables) ? Object.fromEntries(tables.map((table) => [table, {}])) : tables,
      ...further,
      events: Object.fromEntries(
        Object.entries(further.events ?? {}).map(([each, event]) => [each, { topic: `${name}.${each}`, ...event }]),
      ),
    };
    const folder = mkdtempSync(join(tmpdir(), 'tidegate-scenario-'));
    const written = { 'pipeline.ts': `export default ${JSON.stringify(input)};\n`, ...files };
    for (const [file, text] of Object.entries(written)) {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), text);
    }
    const environment = outer.with({
      ...{ [`${variable}_URL`]: source.url.href, [`${variable}_CAPTURE_URL`]: source.captureUrl.href },
      ...{ TEMPORAL_NAMESPACE: name, TIDEGATE_PIPELINES: folder, CLICKHOUSE_URL: proxy.url.href },
      TIDEGATE_WORKFLOW_BUNDLE: await sharedBundle(),
    });
    await openNamespace(environment, name);
    const scenario = new Scenario({
      ...{ environment, source, proxy, folder, input, pipeline: parsePipeline(input, label) },
      ...{ clickhouse: ClickHouse.from(outer), temporal: await Temporal.connect(environment) },
      inProcess: workers === 'in process',
    });
    if (start) {
      try {
        await scenario.start();
      } catch (error) {
        // What it leaves behind follows from that.
        await scenario[Symbol.asyncDispose]().catch(() => undefined);
        throw error;
      }
    }
    return scenario;
  }

  /** Starts workers and supervisor, and waits until changes flow. */
  async start(): Promise<void> {
    this.startWorkers();
    await this.temporal.startSupervisor(this.name);
    await this.waitUntilStreaming();
  }

  /** @param deathAt where the workers, in a child, kill themselves. */
  startWorkers(deathAt?: DeathAt): void {
    const environment = this.environment.with(this.settings);
    if (this.#inProcess) this.#workers = startInProcess({ environment, definitions: this.definitions });
    else this.#workers = startChild({ environment, ...(deathAt && { deathAt }) });
  }

  /** kill -9 of the workers. */
  async killWorkers(): Promise<void> {
    await this.#workers?.kill();
  }

  /** Waits until the workers have died by themselves, or by a rule of the proxy. */
  async workersEnded(): Promise<void> {
    await this.#workers?.ended;
  }

  /** Lets the workers land what they hold and end. */
  async stopWorkers(): Promise<void> {
    await this.#workers?.stop();
    this.#workers = null;
  }

  /** Edits the definition that the workers read; they take it over when they are told to. */
  redefine(change: Partial<PipelineInput>): void {
    const input = Object.assign(this.#input, change);
    this.pipeline = parsePipeline(input, this.name);
    this.#edits++;
    writeFileSync(join(this.#folder, 'pipeline.ts'), `export default ${JSON.stringify(input)};\n`);
  }

  /** Runs SQL as the owner; several statements are one transaction. */
  async sql(text: string): Promise<void> {
    await this.source.owner.query(text);
  }

  /** What the supervisor says; null when it does not run. */
  async status(): Promise<StreamView | null> {
    return await this.temporal.stream(this.name);
  }

  async pause(): Promise<void> {
    await this.temporal.signalStream(this.name, 'pause');
    await this.#phase('paused');
  }

  async resume(): Promise<void> {
    await this.temporal.signalStream(this.name, 'resume');
    await this.waitUntilStreaming();
  }

  /** Asks for a resync. @returns its ticket. */
  async askForResync(table: string): Promise<number> {
    return await this.temporal.updateStream<number>(this.name, 'resync', table);
  }

  /** Waits until a resync with this ticket, or a later one, has ended well. */
  async resynced(table: string, ticket: number): Promise<ResyncDone> {
    const read = async () => {
      const { resyncs, resynced } = (await this.status())!.status;
      const failed = resyncs.find((each) => each.table === table && each.state === 'failed');
      assert.ok(!failed, failed?.reason);
      return resynced.find((each) => each.table === table && each.ticket >= ticket);
    };
    const what = { what: `${table} is resynced`, deadlineMs: 180_000, state: () => this.describe() };
    return (await until(read, (done) => done !== undefined, what))!;
  }

  async resync(table: string): Promise<ResyncDone> {
    return await this.resynced(table, await this.askForResync(table));
  }

  async waitUntilStreaming(): Promise<void> {
    await this.#phase('streaming');
  }

  async #phase(wanted: string): Promise<void> {
    const read = async () => {
      await this.failIfStopped();
      return (await this.status())?.status.phase;
    };
    await until(read, (phase) => phase === wanted, { what: `the stream is ${wanted}`, state: () => this.describe() });
  }

  /**
   * Waits until everything that is committed at the source now has landed: the slot has confirmed the position of now, so
   * that it is in Kafka, and the group has committed the topics' ends.
   */
  async waitUntilCaughtUp(deadlineMs = 180_000): Promise<void> {
    const { admin } = this.source;
    const options = { deadlineMs, state: () => this.describe() };
    const now = await admin.query<{ lsn: string }>('SELECT pg_current_wal_insert_lsn()::text AS lsn');
    const { lsn } = now.rows[0]!;
    // Something has to follow for the position to be confirmed at once.
    await admin.query("SELECT pg_logical_emit_message(true, 'tidegate', '')");
    const confirmed = async () => {
      await this.failIfStopped();
      const slots = await admin.query<{ beyond: boolean }>(
        'SELECT confirmed_flush_lsn >= $1::pg_lsn AS beyond FROM pg_replication_slots WHERE slot_name = $2',
        [lsn, this.pipeline.stream.slot],
      );
      return slots.rows[0]?.beyond;
    };
    await until(confirmed, (beyond) => beyond === true, { what: `the slot confirms ${lsn}`, ...options });
    const ends = await endOffsets(this.kafka, this.topics);
    const behind = async () => {
      await this.failIfStopped();
      const committed = await landedOffsets(this, this.pipeline, this.topics);
      return [...ends].filter(([partition, end]) => (committed.get(partition) ?? 0n) < end);
    };
    await until(behind, (left) => left.length === 0, { what: 'the topics are committed up to their ends', ...options });
  }

  /** Fails when the source differs from the current views, after everything has landed. Default: all tables. */
  async assertEqual(...labels: string[]): Promise<void> {
    await this.waitUntilCaughtUp();
    const tables = streamTables(this.pipeline);
    for (const { label, name } of tables) {
      if (labels.length === 0 || labels.includes(label)) await this.assertEqualNow(name);
    }
  }

  /** Fails when the source differs at this moment from the current view, or a reference table's target. @param name the table's bare name. */
  async assertEqualNow(name: string): Promise<void> {
    const table = this.pipeline.tables.find((each) => each.name === name);
    assert.ok(table, `${name} is not in the pipeline`);
    const found = await this.differences(table);
    if (found.length > 0) assert.deepEqual([...found, ...(await this.#circumstances(table))], [], table.label);
  }

  /** What tells whether rows are missing for good, have not landed, or were not seen. */
  async #circumstances(table: PipelineTable): Promise<string[]> {
    const topic = streamLanes(this.pipeline).find(({ label }) => label === table.label)?.topic;
    if (topic === undefined) return [];
    const [ends, landed] = [await endOffsets(this.kafka, [topic]), await landedOffsets(this, this.pipeline, [topic])];
    const text = (offsets: ReadonlyMap<string, bigint>) => [...offsets].map((each) => each.join(' at ')).join(', ');
    const again = await this.differences(table);
    return [`landed: ${text(landed)}; ends: ${text(ends)}`, `a moment later: ${again[0] ?? 'equal'}`];
  }

  /** What differs now in a table, one line each. */
  async differences(table: PipelineTable): Promise<string[]> {
    const { clickhouse, pipeline } = this;
    const sides = { postgres: this.source.admin, clickhouse, database: pipeline.database };
    return await differences(sides, {
      schema: table.schema,
      name: table.name,
      view: table.currentView ?? table.target,
    });
  }

  get topics(): string[] {
    return streamLanes(this.pipeline).map(({ topic }) => topic);
  }

  /** How many snapshots have been finished so far. */
  async snapshots(): Promise<number> {
    const finished = `SELECT DISTINCT consistent_point FROM ${this.name}.tidegate_snapshots WHERE state = 'finished'`;
    return (await this.clickhouse.rows(finished)).length;
  }

  /**
   * Takes the slot away from the connector, and waits until another snapshot has been taken.
   * @param lost runs as soon as the slot is gone.
   */
  async loseSlot(lost: () => Promise<unknown> = async () => undefined): Promise<void> {
    const { admin } = this.source;
    const slot = [this.pipeline.stream.slot];
    const earlier = await this.snapshots();
    // A connector that is stopped would be started again by its watch.
    const drop = async () => {
      await admin.query('SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = $1', slot);
      const dropped = admin.query('SELECT pg_drop_replication_slot($1)', slot);
      return await dropped.then(
        () => true,
        () => false,
      );
    };
    const options = { deadlineMs: 180_000, state: () => this.describe() };
    await until(drop, (dropped) => dropped, { what: 'the slot is dropped', ...options });
    await lost();
    await until(
      () => this.snapshots(),
      (count) => count > earlier,
      { what: 'a new snapshot', ...options },
    );
    await this.waitUntilStreaming();
  }

  /**
   * Fails with the reason when the supervisor has given up: nothing that is waited for will come then. It is asked every
   * second at most, as each answer is work for server and worker.
   */
  async failIfStopped(): Promise<void> {
    if (performance.now() < this.#askAgainAt) return;
    this.#askAgainAt = performance.now() + 1000;
    const view = await this.status();
    if (view?.status.phase === 'failed') assert.fail(`the stream has failed: ${view.status.reason}`);
  }

  /** Everything that helps to see why something does not come. */
  async describe(): Promise<string> {
    const view = await this.status().catch((error) => String(error));
    const connector = await this.connect.status(this.pipeline.stream.connector).catch((error) => String(error));
    const shown = typeof view === 'string' ? view : { ...view?.status, activities: view?.work.activities };
    return `supervisor: ${JSON.stringify(shown)}\nconnector: ${JSON.stringify(connector)}\nworkers:\n${workerLog()}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { pipeline, name } = this;
    const { connector, topicPrefix, consumerGroup } = pipeline.stream;
    const steps: (() => PromiseLike<unknown>)[] = [
      () => this.stopWorkers(),
      () => this.temporal.close(),
      () => closeNamespace(this.environment, name),
      () => this.connect.delete(connector),
      () => this.source.drop(),
      () =>
        dropFromKafka(this.kafka, {
          topics: [...this.topics, `__debezium-heartbeat.${topicPrefix}`],
          group: consumerGroup,
        }),
      () => this.clickhouse.command(`DROP DATABASE IF EXISTS ${chIdentifier(pipeline.database)} SYNC`),
      () => this.clickhouse.close(),
      () => this.proxy[Symbol.asyncDispose](),
    ];
    const failures: unknown[] = [];
    for (const step of steps) await Promise.resolve(step()).catch((error) => failures.push(error));
    rmSync(this.#folder, { recursive: true, force: true });
    rmSync(join(this.environment.required('CONNECT_SECRETS_DIR'), `${name}.properties`), { force: true });
    if (failures.length > 0) throw new AggregateError(failures, `scenario ${name} left something behind`);
  }
}

function isList(tables: ScenarioOptions['tables']): tables is readonly string[] {
  return Array.isArray(tables);
}
