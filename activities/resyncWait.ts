import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { Connect } from '../adapters/connect.ts';
import { endOffsets, openKafka } from '../adapters/kafka.ts';
import { currentInsertLsn, heartbeats, readSlot } from '../adapters/replication.ts';
import type { Pipeline, PipelineTable } from '../core/definition.ts';
import { TidegateError } from '../core/errors.ts';
import { topicOf } from '../core/names.ts';
import { waitingMessages } from '../core/partitions.ts';
import { sourceConnectorConfig } from './connectorSource.ts';
import type { ActivityDeps } from './deps.ts';
import { landedOffsets } from './kafkaEngine.ts';
import { isConfig } from './watchConnectorKeeper.ts';

const POLL_MS = 200;

export interface TableWait {
  pipeline: Pipeline;
  table: PipelineTable;
  /** A session of the capture role. */
  session: pg.Client;
  signal: AbortSignal;
}

/**
 * Waits until the connector has the configuration of this definition. Its watch gives it that only when nothing reads the
 * slot under the one before, which may leave the table out: so what is committed from now on is captured.
 */
export async function waitForConnector(
  deps: ActivityDeps,
  {
    pipeline,
    signal,
    deadlineMs = Number.POSITIVE_INFINITY,
  }: Pick<TableWait, 'pipeline' | 'signal'> & { deadlineMs?: number },
): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  const connect = Connect.from(deps.environment);
  const wanted = await sourceConnectorConfig(deps.environment, pipeline);
  await poll(signal, async () => {
    const present = await bearing(() => connect.config(pipeline.stream.connector));
    if (performance.now() > deadline) return true;
    return Boolean(present && isConfig(present, { connector: pipeline.stream.connector, config: wanted }));
  });
}

/**
 * Waits until everything that was committed at the source before the call has landed in the table, for as long as that
 * takes: a stream that is paused, or backs off, goes on some time.
 */
export async function waitUntilLanded(deps: ActivityDeps, wait: TableWait): Promise<void> {
  await waitUntilInKafka(wait);
  await waitUntilCommitted(deps, wait);
}

/**
 * Waits until everything that was committed at the source before the call is in Kafka.
 * @param wait.deadlineMs after which it is no longer waited for; default: never.
 */
export async function waitUntilInKafka(wait: Omit<TableWait, 'table'> & { deadlineMs?: number }): Promise<void> {
  const { pipeline, session, signal, deadlineMs = Number.POSITIVE_INFINITY } = wait;
  const lsn = await currentInsertLsn(session);
  const deadline = performance.now() + deadlineMs;
  const hurry = heartbeats(session);
  await poll(signal, async () => {
    await hurry();
    const slot = await readSlot(session, pipeline.stream.slot);
    return (slot !== null && slot.confirmedFlushLsn >= lsn) || performance.now() > deadline;
  });
}

/** Waits until everything that is in the table's topic now has been committed, so that no insert of before is under way. */
export async function waitUntilCommitted(deps: ActivityDeps, { pipeline, table, signal }: TableWait): Promise<void> {
  const kafka = openKafka(deps.environment);
  const topics = [topicOf(pipeline, table)];
  const ends = await endOffsets(kafka, topics);
  await poll(signal, async () => {
    const committed = await bearing(() => landedOffsets({ kafka, clickhouse: deps.clickhouse }, pipeline, topics));
    return committed !== null && waitingMessages(ends, committed) === 0n;
  });
}

async function poll(signal: AbortSignal, met: () => Promise<boolean>): Promise<void> {
  while (!(await met())) await sleep(POLL_MS, undefined, { signal });
}

/** A service that is away for a while is asked again. */
async function bearing<T>(ask: () => Promise<T>): Promise<T | null> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof TidegateError && error.code === 'SERVICE_UNREACHABLE') return null;
    throw error;
  }
}
