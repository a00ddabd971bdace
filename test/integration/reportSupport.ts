import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, type JWTHeaderParameters, SignJWT } from 'jose';
import { ClickHouse } from '../../adapters/clickhouse.ts';
import { loadDefinitions } from '../../adapters/definitions.ts';
import { dayAfter } from '../../core/days.ts';
import { deadLettersDdl } from '../../core/deadLetters.ts';
import { chTable } from '../../core/identifiers.ts';
import { periodsDdl } from '../../core/marts.ts';
import { PERIODS_TABLE } from '../../core/names.ts';
import type { AccessLine } from '../../server/access.ts';
import { buildApp, LIMITS } from '../../server/app.ts';
import { openAuthenticator } from '../../server/authenticate.ts';
import { type FoundReport, findReport, reportGrants } from '../../server/findReport.ts';
import { ReportStore } from '../../server/reportStore.ts';
import { TestServer } from './clickhouse-serverSupport.ts';

/** Holds the pipeline of the report. */
export const FOLDER = fileURLToPath(new URL('../reportPipeline', import.meta.url));
export const AUDIENCE = 'reports-test';
export const FIRST_DAY = '2026-03-01';
/** Days that are processed, from FIRST_DAY on. */
export const DAYS = 10;
export const LAST_DAY = dayAfter(FIRST_DAY, DAYS - 1);

/** A login provider as far as an API sees one: a discovery document and keys, which a test may change or take away. */
export class TestProvider implements AsyncDisposable {
  keys: JWK[] = [];
  #server!: Server;
  #signers = new Map<string, CryptoKey>();
  issuer!: URL;

  static async start(): Promise<TestProvider> {
    const provider = new TestProvider();
    await provider.listen(0);
    await provider.addKey('first');
    return provider;
  }

  async listen(port: number): Promise<void> {
    this.#server = createServer((request, response) => {
      const answer = request.url === '/keys' ? { keys: this.keys } : this.#discovery();
      response.setHeader('content-type', 'application/json').end(JSON.stringify(answer));
    });
    this.#server.listen(port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.issuer = new URL(`http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`);
  }

  #discovery() {
    return { issuer: this.issuer.origin, jwks_uri: `${this.issuer.origin}/keys` };
  }

  async addKey(kid: string, alg = 'RS256'): Promise<JWK> {
    const { publicKey, privateKey } = await generateKeyPair(alg);
    const key = { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' };
    this.keys.push(key);
    this.#signers.set(kid, privateKey);
    return key;
  }

  /** A token that is right but for what is given; a claim that is undefined is left out. */
  token(claims: Record<string, unknown> = {}, header: Partial<JWTHeaderParameters> = {}): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    const right = { iss: this.issuer.origin, aud: AUDIENCE, sub: 'someone', user_id: '1', iat: now, exp: now + 300 };
    const kid = header.kid ?? 'first';
    return new SignJWT(JSON.parse(JSON.stringify({ ...right, ...claims })))
      .setProtectedHeader({ alg: 'RS256', kid, ...header })
      .sign(this.#signers.get(kid) ?? this.#signers.get('first')!);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** The service on a ClickHouse of its own, with the shipped report's tables, and what it has noted. */
export class ReportLab implements AsyncDisposable {
  readonly noted: AccessLine[] = [];
  readonly logged: string[] = [];
  readonly found: FoundReport;
  readonly server: TestServer;
  readonly provider: TestProvider;
  /** As the service reads, and as the workers write. */
  readonly reader: ClickHouse;
  readonly writer: ClickHouse;
  app!: Awaited<ReturnType<typeof buildApp>>;

  private constructor(parts: { found: FoundReport; server: TestServer; provider: TestProvider }) {
    this.found = parts.found;
    this.server = parts.server;
    this.provider = parts.provider;
    const url = new URL(this.server.url);
    this.reader = new ClickHouse({ url, user: 'tidegate_report', password: 'r', fixedSettings: true });
    this.writer = new ClickHouse({ url, user: 'writer', password: 'w' });
  }

  static async start({ limits = LIMITS, cooldownMs = 0 } = {}): Promise<ReportLab> {
    const found = await findReport(await loadDefinitions([FOLDER]), 'wear');
    const provider = await TestProvider.start();
    const settings = { max_execution_time: 10, output_format_json_quote_64bit_integers: 1 };
    const server = await TestServer.start([
      { name: 'writer', password: 'w' },
      { name: 'tidegate_report', password: 'r', readonly: 1, settings, grants: reportGrants(found) },
    ]);
    const lab = new ReportLab({ found, server, provider });
    await lab.#createTables().catch(async (error) => {
      await lab[Symbol.asyncDispose]();
      throw error;
    });
    lab.app = await buildApp({
      found,
      store: new ReportStore(lab.reader, found),
      authenticate: openAuthenticator({ issuer: provider.issuer, audience: AUDIENCE, claim: 'user_id', cooldownMs }),
      login: { issuer: provider.issuer, clientId: 'page' },
      note: (line) => lab.noted.push(line),
      log: (line) => lab.logged.push(line),
      limits,
    });
    return lab;
  }

  async #createTables(): Promise<void> {
    const { database } = this.found.pipeline;
    await this.writer.command(`CREATE DATABASE ${database}`);
    const { mart } = this.found;
    for (const sql of [
      `CREATE TABLE ${this.table(mart.name)} (user_id Int32, prosthesis_id Int32, day Date, user_email String,
        prosthesis_model String, manufacture_date Nullable(Date32), events UInt64,
        first_event_at DateTime64(3, 'UTC'), movement_counts Map(String, UInt64), response_ms_avg Float64,
        grip_force_max Nullable(Decimal(6, 1))) ENGINE = MergeTree PARTITION BY toYYYYMM(day)
        ORDER BY (user_id, prosthesis_id, day)`,
      `CREATE TABLE ${this.table(mart.late.input)} (event_id String, ${mart.late.time} DateTime64(3, 'UTC'),
        secret String, _partition Int32, _offset Int64) ENGINE = MergeTree ORDER BY event_id`,
      `CREATE TABLE ${this.table('users')} (user_id Int32, user_email String) ENGINE = MergeTree ORDER BY user_id`,
      periodsDdl(database),
      deadLettersDdl(database),
    ]) {
      await this.writer.command(sql);
    }
    // Three users with two prostheses each.
    await this.writer.command(`INSERT INTO ${this.table(mart.name)}
      SELECT intDiv(n, 2) + 1, n + 1, toDate('${FIRST_DAY}') + day, 'mail', 'Model ' || toString(n),
        if(n = 1, NULL, '2020-02-29'), 20 + day, '${FIRST_DAY} 08:00:00.5', map('grip', 5, 'hold', 2), 101.5,
        if(n = 1, NULL, 42.5)
      FROM (SELECT intDiv(number, ${DAYS}) AS n, number % ${DAYS} AS day FROM numbers(6 * ${DAYS}))`);
    await this.markProcessed(FIRST_DAY, DAYS);
  }

  table(name: string): string {
    return chTable({ database: this.found.pipeline.database, name });
  }

  /** Notes days as merged, as a merge does. */
  async markProcessed(from: string, days: number): Promise<void> {
    await this.writer.command(`INSERT INTO ${this.table(PERIODS_TABLE)} (mart, day, offsets, replayed, watermark, lsn, rows)
      SELECT '${this.found.mart.name}', toDate('${from}') + number, map(), 0, toDate('${from}') + number + 3, '', 1
      FROM numbers(${days})`);
  }

  /** A late event, which makes its day dirty. */
  async landLate(day: string): Promise<void> {
    const { late } = this.found.mart;
    await this.writer.command(`INSERT INTO ${this.table(late.input)} VALUES ('late', '${day} 10:00:00', 'x', 0, 100)`);
  }

  async forgetLate(): Promise<void> {
    await this.writer.command(`TRUNCATE TABLE ${this.table(this.found.mart.late.input)}`);
  }

  /** Asks as a reader does, with a token unless `token` is null. */
  async get(operation: string, query: Record<string, string>, token: string | null | undefined = undefined) {
    const bearer = token === undefined ? await this.provider.token() : token;
    const headers = bearer === null ? {} : { authorization: `Bearer ${bearer}` };
    const answer = await this.app.inject({ method: 'GET', url: `/api/${operation}`, query, headers });
    const type = String(answer.headers['content-type']);
    return {
      ...{ status: answer.statusCode, type, headers: answer.headers, text: answer.payload },
      body: type.includes('json') ? answer.json() : undefined,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.app?.close();
    await this.reader.close();
    await this.writer.close();
    await this.provider.stop().catch(() => {});
    await this.server[Symbol.asyncDispose]();
  }
}
