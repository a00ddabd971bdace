import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { RequestBody } from './body.ts';
import { Engine, type StatementContext } from './engine.ts';
import { fromEngine, raise } from './errors.ts';
import { receiveFirst, runInsert } from './insert.ts';
import { type QueryRequest, readRequest } from './request.ts';
import { ResultWriter } from './response.ts';
import { runSelect, summarise } from './select.ts';
import { parseStatement, type Statement } from './statement.ts';
import { authenticate, type User } from './users.ts';

export interface ClickHouseServer {
  url: string;
  version: string;
  /** Stops listening, lets running statements finish, stops the rest, closes the data folder. False: it could not be closed. */
  close(): Promise<boolean>;
}

/** SQL text, without the data of an INSERT, may be this long. */
const MAX_SQL_BYTES = 64 * 1024 * 1024;
/** How long running statements may go on when the server ends, and then how long they may take to stop. */
const CLOSE_LIMITS = { finishMs: 2000, stopMs: 2000 };

/**
 * Serves ClickHouse's HTTP interface on 127.0.0.1 from a data folder. A process can hold one data folder only, and the engine needs a
 * large UV_THREADPOOL_SIZE, so start it as its own process (main.ts) wherever something else runs too.
 *
 * @param options.port 0 takes any free port
 */
export async function startClickHouseServer(options: {
  path: string;
  port: number;
  users: readonly User[];
}): Promise<ClickHouseServer> {
  const engine = new Engine(options.path, options.users);
  const server = createServer({ requestTimeout: 0, keepAliveTimeout: 30_000 }, (message, response) => {
    response.on('error', () => {});
    handle({ message, response, engine, users: options.users }).catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, version: engine.version, close: () => close(server, engine) };
}

async function close(server: Server, engine: Engine): Promise<boolean> {
  server.close();
  server.closeIdleConnections();
  const closed = await engine.close(CLOSE_LIMITS);
  server.closeAllConnections();
  return closed;
}

interface Exchange {
  message: IncomingMessage;
  response: ServerResponse;
  engine: Engine;
  users: readonly User[];
}

async function handle(exchange: Exchange): Promise<void> {
  const { message, response, engine, users } = exchange;
  const { pathname, searchParams } = new URL(message.url ?? '/', 'http://localhost');
  const asksNothing = message.method === 'GET' && !searchParams.get('query');
  if (pathname === '/ping' || pathname === '/replicas_status' || (pathname === '/' && asksNothing)) {
    response.setHeader('Content-Type', 'text/html; charset=UTF-8').end('Ok.\n');
    return;
  }
  if (pathname !== '/' && pathname !== '/query') {
    response.statusCode = 404;
    response.end(
      `There is no handle ${pathname}\n\nUse / or /ping for health checks, and POST / with SQL in the body.\n`,
    );
    return;
  }
  const writer = new ResultWriter(response, engine.version);
  try {
    const request = readRequest(message);
    writer.configure({ ...request, format: request.defaultFormat });
    const user = authenticate(users, request.user, request.password);
    const body = new RequestBody(message, request.contentEncoding);
    const { statement: parsed, first } = await readStatement(request, body);
    const format = (parsed.kind === 'insert' ? undefined : parsed.format) ?? request.defaultFormat;
    writer.configure({ ...request, format });
    const data = parsed.kind === 'insert' ? await receiveFirst(first, body) : undefined;
    const summary = await engine.withStatement(contextOf(request, user), async (statement) => {
      if (parsed.kind === 'insert') return runInsert({ insert: parsed, data: data!, statement });
      if (parsed.kind === 'select') return runSelect({ select: parsed, format, statement, writer, response });
      const result = await statement.run(parsed.text, format);
      await writer.write(result.bytes());
      return summarise(result);
    });
    await writer.end(summary);
  } catch (error) {
    if (!response.destroyed) await writer.fail(fromEngine(error));
  }
}

function contextOf(request: QueryRequest, user: User): StatementContext {
  const userSettings = Object.entries(user.settings ?? {});
  return {
    ...request,
    readonly: user.readonly || (request.readonlyMethod ? 2 : 0),
    role: user.grants && user.name,
    userSettings: userSettings.map(([name, value]): [string, string] => [name, String(value)]),
  };
}

/** Reads as much of the body as belongs to the SQL; what was read beyond it is the beginning of the data. */
async function readStatement(
  request: QueryRequest,
  body: RequestBody,
): Promise<{ statement: Statement; first: Buffer }> {
  let text = Buffer.from(request.query === '' ? '' : `${request.query}\n`);
  let ended = false;
  for (;;) {
    const statement = parseStatement(text.toString('latin1'), ended);
    if (statement) {
      return { statement, first: statement.kind === 'insert' ? text.subarray(statement.dataStart) : Buffer.alloc(0) };
    }
    const chunk = await body.next();
    if (chunk) text = Buffer.concat([text, chunk]);
    else ended = true;
    if (text.length > MAX_SQL_BYTES)
      throw raise.queryTooLarge(`SQL is longer than ${MAX_SQL_BYTES} bytes. Send data with INSERT.`);
  }
}
