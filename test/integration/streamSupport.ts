import { randomBytes } from 'node:crypto';
import { MockActivityEnvironment } from '@temporalio/testing';
import kafkajs, { type Kafka } from 'kafkajs';
import type pg from 'pg';
import type { ActivityDeps } from '../../activities/deps.ts';
import { ClickHouse } from '../../adapters/clickhouse.ts';
import { Definitions } from '../../adapters/definitions.ts';
import { type Environment, loadEnvironment } from '../../adapters/environment.ts';
import { endOffsets } from '../../adapters/kafka.ts';
import { connectPostgres } from '../../adapters/postgres.ts';
import { type Pipeline, type PipelineInput, parsePipeline } from '../../core/definition.ts';

/** A name that no other test run uses. */
export function uniqueName(prefix: string): string {
  return `${prefix}_${randomBytes(4).toString('hex')}`;
}

/** What an activity is given, with one pipeline. Settings of the environment may be replaced. */
export function depsFor(
  input: PipelineInput,
  settings: Record<string, string> = {},
): ActivityDeps & { pipeline: Pipeline } {
  const environment: Environment = loadEnvironment().with(settings);
  const pipeline = parsePipeline(input, 'test');
  const definitions = new Definitions(new Map([[pipeline.name, { pipeline, folder: '.', hash: 'test' }]]));
  return { environment, definitions, clickhouse: ClickHouse.from(environment), pipeline };
}

/** An activity that runs in a mock environment until it is cancelled. */
export interface RunningActivity<Result, Beat> {
  /** What it returns, or what it throws as a rejection. */
  result: Promise<Result>;
  /** The last heartbeat. */
  beat: () => Beat | undefined;
  cancel: (reason?: 'WORKER_SHUTDOWN') => void;
}

/**
 * Starts an activity; it is cancelled at the latest when the test ends, if `using` holds it.
 * @param last what the attempt before has heartbeated last.
 */
export function startActivity<Result, Beat>(
  activity: () => Promise<Result>,
  last?: Beat,
): RunningActivity<Result, Beat> & AsyncDisposable {
  const environment = new MockActivityEnvironment({ heartbeatDetails: last });
  let beat: Beat | undefined;
  environment.on('heartbeat', (details: Beat) => {
    beat = details;
  });
  const result = environment.run(activity) as Promise<Result>;
  result.catch(() => undefined);
  const cancel = (reason?: 'WORKER_SHUTDOWN') => environment.cancel(reason);
  return {
    result,
    beat: () => beat,
    cancel,
    async [Symbol.asyncDispose]() {
      cancel();
      await result.catch(() => undefined);
    },
  };
}

/** A database of its own in the stack's PostgreSQL, with a role that may only read and replicate. */
export interface SourceDatabase {
  owner: pg.Client;
  url: URL;
  captureUrl: URL;
  role: string;
  drop: () => Promise<void>;
}

export async function createSourceDatabase(name: string, password: string): Promise<SourceDatabase> {
  const admin = loadEnvironment().url('POSTGRES_URL');
  const applicationName = 'tidegate test';
  const server = await connectPostgres(admin, { applicationName });
  await server.query(`CREATE DATABASE ${name}`);
  await server.query(`CREATE ROLE ${name} LOGIN REPLICATION PASSWORD ${server.escapeLiteral(password)}`);
  const url = new URL(admin);
  url.pathname = `/${name}`;
  const owner = await connectPostgres(url, { applicationName });
  await owner.query(`ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO ${name}`);
  const captureUrl = new URL(url);
  captureUrl.username = name;
  captureUrl.password = encodeURIComponent(password);
  return {
    owner,
    url,
    captureUrl,
    role: name,
    drop: async () => {
      await owner.query(`ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON TABLES FROM ${name}`);
      await owner.query(`DROP OWNED BY ${name}`);
      await owner.end();
      await server.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1`, [name]);
      await dropSlots(server, name);
      await server.query(`DROP DATABASE ${name} WITH (FORCE)`);
      await server.query(`DROP ROLE ${name}`);
      await server.end();
    },
  };
}

async function dropSlots(server: pg.Client, database: string): Promise<void> {
  await server.query(`SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = $1`, [
    database,
  ]);
}

/** All values of a topic of one partition, in order. */
export async function readTopic(kafka: Kafka, topic: string): Promise<string[]> {
  const end = (await endOffsets(kafka, [topic])).get(`${topic}:0`) ?? 0n;
  const values: string[] = [];
  if (end === 0n) return values;
  const consumer = kafka.consumer({ groupId: uniqueName('streamlab_reader'), maxWaitTimeInMs: 50 });
  const done = Promise.withResolvers<void>();
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachMessage: async ({ message }) => {
      values.push(message.value?.toString() ?? '');
      if (BigInt(message.offset) >= end - 1n) done.resolve();
    },
  });
  await done.promise;
  await consumer.disconnect();
  return values;
}

/** Sends values in order to one partition. */
export async function sendTo(kafka: Kafka, topic: string, values: readonly string[], partition = 0): Promise<void> {
  const producer = kafka.producer({ createPartitioner: kafkajs.Partitioners.LegacyPartitioner });
  await producer.connect();
  await producer.send({ topic, messages: values.map((value) => ({ value, partition })) });
  await producer.disconnect();
}
