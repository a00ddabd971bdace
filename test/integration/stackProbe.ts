import assert from 'node:assert/strict';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { ClickHouseLogLevel, createClient } from '@clickhouse/client';
import { Connection } from '@temporalio/client';
import { Kafka, logLevel } from 'kafkajs';
import pg from 'pg';

type Env = Readonly<Record<string, string>>;

/** The only value of the only row that PostgreSQL answers with. */
export async function askPostgres(env: Env, query: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: env['POSTGRES_URL'] });
  client.on('error', () => undefined);
  await client.connect();
  try {
    const { rows } = await client.query({ text: query, rowMode: 'array' });
    return rows[0]?.[0];
  } finally {
    await client.end();
  }
}

/** What ClickHouse answers to one user, as text without the last line end. */
export async function askClickHouse(env: Env, query: string, user: 'writer' | 'reader' = 'writer'): Promise<string> {
  const prefix = user === 'writer' ? 'CLICKHOUSE' : 'CLICKHOUSE_READER';
  const client = createClient({
    url: env['CLICKHOUSE_URL'] ?? '',
    username: env[`${prefix}_USER`] ?? '',
    password: env[`${prefix}_PASSWORD`] ?? '',
    log: { level: ClickHouseLogLevel.OFF },
  });
  try {
    const { stream } = await client.exec({ query });
    return (await stream.toArray()).join('').trimEnd();
  } finally {
    await client.close();
  }
}

export async function withKafka<T>(env: Env, work: (kafka: Kafka) => Promise<T>): Promise<T> {
  return await work(new Kafka({ brokers: [env['KAFKA_BROKERS'] ?? ''], logLevel: logLevel.NOTHING }));
}

/** How many messages a topic has in its only partition. */
export async function countMessages(env: Env, topic: string): Promise<number> {
  return await withKafka(env, async (kafka) => {
    const admin = kafka.admin();
    await admin.connect();
    try {
      const [offsets] = await admin.fetchTopicOffsets(topic);
      return Number(offsets?.high);
    } finally {
      await admin.disconnect();
    }
  });
}

export async function askConnect(env: Env, path: string, init: RequestInit = {}): Promise<unknown> {
  const response = await fetch(`${env['CONNECT_URL']}${path}`, init);
  const text = await response.text();
  assert.ok(response.ok, `${path}: ${response.status} ${text}`);
  return JSON.parse(text);
}

export async function withTemporal<T>(env: Env, work: (connection: Connection) => Promise<T>): Promise<T> {
  const connection = await Connection.connect({ address: env['TEMPORAL_ADDRESS'] ?? '' });
  try {
    return await work(connection);
  } finally {
    await connection.close();
  }
}

/** Addresses, as hexadecimal words of /proc, at which the given processes listen for TCP connections. */
export function listeningAddresses(pids: readonly number[]): string[] {
  const sockets = new Set<string>();
  for (const pid of pids) {
    for (const fd of readdirSync(`/proc/${pid}/fd`)) {
      try {
        const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1];
        if (inode !== undefined) sockets.add(inode);
      } catch {
        // The descriptor was closed since it was listed.
      }
    }
  }
  const addresses: string[] = [];
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of readFileSync(table, 'utf8').trim().split('\n').slice(1)) {
      const fields = line.trim().split(/\s+/);
      if (fields[3] === '0A' && sockets.has(fields[9] ?? '')) addresses.push(fields[1]!.split(':')[0]!);
    }
  }
  return addresses;
}

export async function eventually(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 120_000;
  while (!(await condition())) {
    if (Date.now() > deadline) assert.fail(`in vain waited until ${what}`);
    await sleep(50);
  }
}
