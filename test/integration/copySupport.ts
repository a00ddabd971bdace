import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { ClickHouse } from '../../adapters/clickhouse.ts';
import type { ChildWork } from './copyChild.ts';

const child = fileURLToPath(new URL('copyChild.ts', import.meta.url));

/** Runs an activity in a process of its own, which is killed when it reaches a step. */
export async function killAtStep(work: ChildWork): Promise<void> {
  const running = spawn(process.execPath, [child, JSON.stringify(work)], { stdio: ['ignore', 'ignore', 'pipe'] });
  let says = '';
  running.stderr.on('data', (chunk) => {
    says += chunk;
  });
  const [, signal] = await once(running, 'close');
  assert.equal(signal, 'SIGKILL', says);
}

/** Names of the tables in a database that carry the mark of an attempt to copy. */
export async function leftovers(clickhouse: ClickHouse, database: string): Promise<string[]> {
  const rows = await clickhouse.rows<{ name: string }>(
    "SELECT name FROM system.tables WHERE database = {database:String} AND name LIKE '%staging%'",
    { params: { database } },
  );
  return rows.map(({ name }) => name);
}

/** A way to PostgreSQL that can be cut while bytes flow through it. */
export interface Proxy extends AsyncDisposable {
  url: URL;
  /** Cuts every connection as soon as this many bytes have come from the source. */
  cutAfter(bytes: number): void;
}

export async function startProxy(target: URL): Promise<Proxy> {
  const sockets = new Set<Socket>();
  let left = Number.POSITIVE_INFINITY;
  const server: Server = createServer((downstream) => {
    const upstream = connect(Number(target.port), target.hostname);
    for (const socket of [downstream, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        downstream.destroy();
        upstream.destroy();
      });
    }
    downstream.pipe(upstream);
    upstream.pipe(downstream);
    upstream.on('data', (chunk) => {
      left -= chunk.length;
      if (left < 0) for (const socket of sockets) socket.destroy();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = new URL(target);
  url.port = String((server.address() as { port: number }).port);
  return {
    url,
    cutAfter(bytes) {
      left = bytes;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
