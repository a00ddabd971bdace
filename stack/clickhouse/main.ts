import { parseArgs } from 'node:util';
import { MAX_STATEMENTS } from './engine.ts';
import { type ClickHouseServer, startClickHouseServer } from './server.ts';
import { loadUsers } from './users.ts';

const USAGE = 'Usage: node stack/clickhouse/main.ts --path DIR --port N --users FILE';

// Every running statement holds a thread of libuv's pool, and so does the opening of its pipe. The size is read once, before the
// first file is opened, so the process starts itself again in its own place.
const THREADS = String(2 * MAX_STATEMENTS + 16);
if (process.env['UV_THREADPOOL_SIZE'] !== THREADS) {
  process.execve!(process.execPath, [process.execPath, ...process.execArgv, ...process.argv.slice(1)], {
    ...process.env,
    UV_THREADPOOL_SIZE: THREADS,
  });
}

const { values } = parseArgs({
  options: { path: { type: 'string' }, port: { type: 'string' }, users: { type: 'string' } },
});
if (!values.path || !values.port || !values.users) {
  console.error(USAGE);
  process.exit(2);
}
let server: ClickHouseServer;
try {
  const users = await loadUsers(values.users);
  server = await startClickHouseServer({ path: values.path, port: Number(values.port), users });
} catch (error) {
  console.error(`The ClickHouse server cannot start: ${error instanceof Error ? error.message : error}`);
  process.exit(1);
}
console.log(`ClickHouse ${server.version} is ready on ${server.url}`);

let closing = false;
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, async () => {
    if (closing) return;
    closing = true;
    const closed = await server.close();
    // A statement that hangs inside the engine would hang an orderly exit too. What is on disk survives this.
    if (!closed) process.kill(process.pid, 'SIGKILL');
    process.exit(0);
  });
}
