import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ClickHouseClient, ClickHouseError, ClickHouseLogLevel, createClient } from '@clickhouse/client';
import type { User } from '../../stack/clickhouse/users.ts';

const USERS: readonly User[] = [
  { name: 'writer', password: 'w' },
  { name: 'reader', password: 'r', readonly: 1, settings: { max_execution_time: 20 } },
  { name: 'dashboard', password: 'd', readonly: 2, settings: { max_memory_usage: '1G' } },
  { name: 'limited', password: 'l', readonly: 1, grants: ['SELECT ON t.open', 'SELECT(a) ON t.partly'] },
  { name: 'nobody', password: 'n', grants: [] },
];
const DEADLINE_MS = 20_000;

export const WRITER = { 'X-ClickHouse-User': 'writer', 'X-ClickHouse-Key': 'w' };

export interface PostOptions {
  body?: string | Buffer;
  params?: Record<string, string>;
  headers?: Record<string, string>;
}

/** The local stack's ClickHouse server as a process of its own, on a folder of its own, on any free port. */
export class TestServer implements AsyncDisposable {
  url = '';
  readonly #folder: string;
  #child: ChildProcess | undefined;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Starts it as people do, and waits for the line that says it is ready. */
  static async start(users: readonly User[] = USERS): Promise<TestServer> {
    const folder = await mkdtemp(join(tmpdir(), 'clickhouse-server-'));
    await writeFile(join(folder, 'users.json'), JSON.stringify(users), { mode: 0o600 });
    const server = new TestServer(folder);
    await server.restart();
    await server.value('CREATE DATABASE t');
    return server;
  }

  async restart(): Promise<void> {
    const main = join(import.meta.dirname, '../../stack/clickhouse/main.ts');
    const [path, users] = [join(this.#folder, 'data'), join(this.#folder, 'users.json')];
    const args = [main, '--path', path, '--port', '0', '--users', users];
    this.#child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = await once(createInterface({ input: this.#child.stdout! }), 'line');
    this.url = /is ready on (http:\S+)$/.exec(line)![1]!;
  }

  /** Sends a signal and waits until the process has gone; returns its exit code, null when the signal ended it. */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    const exited = once(this.#child!, 'exit');
    this.#child!.kill(signal);
    return (await exited)[0];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end('SIGTERM');
    await rm(this.#folder, { recursive: true });
  }

  connect(username: string, password: string, compress = false): ClickHouseClient {
    const compression = { request: compress, response: compress };
    return createClient({ url: this.url, username, password, compression, log: { level: ClickHouseLogLevel.OFF } });
  }

  /** Sends SQL in the body, or in the URL when a body of data is given. */
  async post(sql: string, { body, params, headers }: PostOptions = {}) {
    const query = new URLSearchParams({ ...params, ...(body === undefined ? {} : { query: sql }) });
    const init = { method: 'POST', body: body ?? sql, headers: { ...WRITER, ...headers } };
    const response = await fetch(`${this.url}/?${query}`, init);
    const summary = JSON.parse(response.headers.get('x-clickhouse-summary') ?? '{}');
    const code = response.headers.get('x-clickhouse-exception-code');
    return { status: response.status, text: await response.text(), summary, code };
  }

  /** The only value that a query returns. */
  async value(sql: string): Promise<string> {
    const { text, status } = await this.post(sql);
    assert.equal(status, 200, text);
    return text.trim();
  }
}

export async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + DEADLINE_MS;
  while (!(await condition())) {
    assert.ok(Date.now() < deadline, 'the condition did not come true in time');
    await sleep(50);
  }
}

/** Accepts the official client's error with this code and type only. */
export const fails = (code: string, type: string) => (error: unknown) =>
  error instanceof ClickHouseError && error.code === code && error.type === type;
