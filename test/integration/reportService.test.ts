import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { loadEnvironment } from '../../adapters/environment.ts';
import { connectPostgres } from '../../adapters/postgres.ts';
import { startLogin } from '../../stack/login/provider.ts';
import { Login } from '../oidcBrowser.ts';
import { DAYS, FIRST_DAY, FOLDER, LAST_DAY, ReportLab } from './reportSupport.ts';

/** The service as a process, as people run it: on a ClickHouse of the test's own, beside a source that it must not touch. */
let lab: ReportLab;
let service: Service;
const environment = loadEnvironment();
const database = `report_${randomBytes(4).toString('hex')}`;
const READERS = 200;
/** Some seconds of reading; a longer run shows more of the tail. */
const SECONDS = Number(process.env['REPORT_LOAD_SECONDS'] ?? 5);
const query = new URLSearchParams({ from: FIRST_DAY, to: LAST_DAY });

interface Service {
  child: ChildProcess;
  url: string;
  lines: string[];
  errors: Promise<string>;
}

async function startService(settings: Record<string, string> = {}): Promise<Service> {
  const port = String(await freePort());
  const child = spawn(process.execPath, ['server/main.ts', 'wear'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...{ PATH: process.env['PATH'], TIDEGATE_HOME: '/nonexistent', TIDEGATE_PIPELINES: FOLDER },
      REPORT_PORT: port,
      ...{ CLICKHOUSE_URL: lab.server.url, CLICKHOUSE_REPORT_USER: 'tidegate_report', CLICKHOUSE_REPORT_PASSWORD: 'r' },
      ...{ REPORT_OIDC_ISSUER: lab.provider.issuer.origin, REPORT_OIDC_AUDIENCE: 'reports-test' },
      ...{ REPORT_OIDC_CLIENT_ID: 'page', ...settings },
    },
  });
  const lines: string[] = [];
  createInterface({ input: child.stdout! }).on('line', (line) => lines.push(line));
  const errors = text(child.stderr!);
  const url = `http://127.0.0.1:${port}`;
  const deadline = Date.now() + 60_000;
  while (Date.now() < deadline && child.exitCode === null) {
    const ready = await fetch(`${url}/health`).then(
      (answer) => answer.ok,
      () => false,
    );
    if (ready) return { child, url, lines, errors };
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  child.kill('SIGKILL');
  throw new Error(`the service did not start: ${await errors}`);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const admin = () => connectPostgres(environment.url('POSTGRES_URL'), { applicationName: 'report test' });
const source = () => {
  const url = environment.url('POSTGRES_URL');
  url.pathname = `/${database}`;
  return url;
};

before(async () => {
  lab = await ReportLab.start();
  const client = await admin();
  await client.query(`CREATE DATABASE ${database}`);
  await client.query(`ALTER DATABASE ${database} SET log_statement = 'all'`);
  await client.end();
  service = await startService({ WEAR_DATABASE_URL: source().href });
});
after(async () => {
  if (service?.child.exitCode === null) service.child.kill('SIGKILL');
  const client = await admin();
  await client.query(`DROP DATABASE IF EXISTS ${database} WITH (FORCE)`);
  await client.end();
  await lab?.[Symbol.asyncDispose]();
});

async function read(user: number, more: Record<string, string> = {}): Promise<Response> {
  const authorization = `Bearer ${await lab.provider.token({ user_id: user })}`;
  const asked = new URLSearchParams({ ...Object.fromEntries(query), ...more });
  return await fetch(`${service.url}/api/getReportsForUser?${asked}`, { headers: { authorization } });
}

test("an export makes no session in the source's database, and no statement", async () => {
  const sessions = async () => {
    const client = await admin();
    // A session is counted some moments after it began, at the latest when it has ended.
    const { rows } = await client.query<{ sessions: string }>(
      'SELECT sessions FROM pg_stat_database WHERE datname = $1',
      [database],
    );
    await client.end();
    return Number(rows[0]!.sessions);
  };
  const log = join(environment.home, 'logs', 'postgres.log');
  const marked = `export_${randomBytes(8).toString('hex')}`;
  const before = await sessions();
  const logBefore = readFileSync(log, 'utf8').length;
  for (const format of ['json', 'csv']) {
    for (let user = 1; user <= 3; user++) assert.equal((await read(user, { format })).status, 200);
  }
  assert.equal(await sessions(), before);
  // Were there a session with a statement, both would show it.
  const client = await connectPostgres(source(), { applicationName: 'report test' });
  await client.query(`SELECT '${marked}'`);
  await client.end();
  const deadline = Date.now() + 30_000;
  while ((await sessions()) === before && Date.now() < deadline);
  assert.ok((await sessions()) > before, 'a session is not counted');
  const statements = readFileSync(log, 'utf8').slice(logBefore);
  const own = statements.split('\n').filter((line) => /LOG: +(statement|execute)/.test(line));
  // No other database of the server logs its statements.
  assert.deepEqual(
    own.map((line) => line.includes(marked)),
    [true],
  );
});

test('200 readers at once are all answered', async (t) => {
  const tokens = await Promise.all(
    Array.from({ length: READERS }, (_, index) => lab.provider.token({ user_id: index + 1, exp: 4e9 })),
  );
  const times: number[] = [];
  const statuses = new Map<number, number>();
  const deadline = performance.now() + SECONDS * 1000;
  const reader = async (token: string, index: number): Promise<void> => {
    const format = index % 4 === 0 ? 'csv' : 'json';
    while (performance.now() < deadline) {
      const began = performance.now();
      const answer = await fetch(`${service.url}/api/getReportsForUser?${query}&format=${format}`, {
        headers: { authorization: `Bearer ${token}` },
      });
      const body = await answer.text();
      times.push(performance.now() - began);
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
      if (index < 3 && format === 'json') assert.equal(JSON.parse(body).items.length, 2 * DAYS);
    }
  };
  await Promise.all(tokens.map(reader));
  assert.deepEqual([...statuses.keys()], [200]);
  times.sort((a, b) => a - b);
  const at = (part: number) => `${Math.round(times[Math.floor(times.length * part)]!)} ms`;
  t.diagnostic(`${times.length} answers in ${SECONDS} s, p50 ${at(0.5)}, p95 ${at(0.95)}, p99 ${at(0.99)}`);
  assert.equal(service.lines.filter((line) => JSON.parse(line).status === 200).length >= times.length, true);
});

test('somebody logs in by authorization code with PKCE and gets their report with that token', async () => {
  const redirectUri = 'http://127.0.0.1:1/';
  const account = { username: 'ada', password: randomBytes(9).toString('hex'), claims: { user_id: '2', name: 'Ada' } };
  const client = { clientId: 'page', redirectUri, audience: 'reports-test' };
  const provider = await startLogin({ port: 0, ...client, accounts: [account] });
  const own = await startService({ REPORT_OIDC_ISSUER: provider.issuer });
  try {
    const login = new Login({ issuer: provider.issuer, clientId: 'page', redirectUri });
    const form = await login.begin();
    assert.match(form.body, /<form method="post">/);
    const wrong = await login.submit(form, { username: 'ada', password: 'guessed' });
    assert.match(wrong.body, /Name or password is wrong/);
    const back = await login.submit(form, { username: 'ada', password: account.password });
    assert.ok(back.url.startsWith(redirectUri), back.url);
    const answer = (await (await login.exchange(back)).json()) as { access_token: string; id_token: string };
    const ask = (token: string) =>
      fetch(`${own.url}/api/getReportsForUser?${query}`, { headers: { authorization: `Bearer ${token}` } });
    const report = await ask(answer.access_token);
    assert.equal(report.status, 200);
    const { items } = (await report.json()) as { items: { prosthesis_id: number }[] };
    assert.deepEqual([...new Set(items.map((row) => row.prosthesis_id))], [3, 4]);
    assert.equal((await ask(answer.id_token)).status, 401);
    assert.equal((await login.exchange(back)).status, 400);
    assert.match((await login.begin({ pkce: false })).url, /error=invalid_request/);
  } finally {
    own.child.kill('SIGKILL');
    await provider.close();
  }
});

test('a signal ends the service after it has answered what is under way', async () => {
  const asked = Promise.all(Array.from({ length: 20 }, (_, index) => read(index + 1)));
  // All of them are on their way once one has been answered.
  await read(1);
  const ended = once(service.child, 'exit');
  service.child.kill('SIGTERM');
  for (const answer of await asked) assert.equal(answer.status, 200);
  // Nothing is left to be answered, so connections that are kept open must not delay the end (they are kept 72 s).
  const answered = performance.now();
  assert.deepEqual(await ended, [0, null]);
  assert.ok(performance.now() - answered < 50_000);
  await assert.rejects(fetch(`${service.url}/health`));
});

for (const [name, value, says] of [
  ['REPORT_OIDC_ISSUER', 'http://login.example.org', /REPORT_OIDC_ISSUER is not an https URL/],
  ['REPORT_OIDC_AUDIENCE', '', /REPORT_OIDC_AUDIENCE is not set/],
  ['REPORT_PORT', '0', /REPORT_PORT is not a port/],
] as const) {
  test(`a wrong ${name} is said on one line with the remedy`, async () => {
    const child = spawn(process.execPath, ['server/main.ts', 'wear'], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: {
        ...{ PATH: process.env['PATH'], TIDEGATE_HOME: '/nonexistent', TIDEGATE_PIPELINES: FOLDER },
        CLICKHOUSE_URL: 'http://127.0.0.1:1',
        ...{ REPORT_OIDC_ISSUER: 'https://login.example.org', REPORT_OIDC_AUDIENCE: 'a', REPORT_OIDC_CLIENT_ID: 'b' },
        [name]: value,
      },
    });
    const said = await text(child.stderr!);
    assert.match(said, says);
    assert.equal(said.trimEnd().split('\n').length, 1);
  });
}
