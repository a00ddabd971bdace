import { Readable } from 'node:stream';
import { type ClickHouseClient, ClickHouseError, ClickHouseLogLevel, createClient } from '@clickhouse/client';
import { messageOf, TidegateError } from '../core/errors.ts';
import { chIdentifier } from '../core/identifiers.ts';
import type { Environment } from './environment.ts';

export type ClickHouseSettings = Record<string, string | number>;

export interface StatementOptions {
  /** Values of `{name:Type}` placeholders. */
  params?: Record<string, unknown>;
  settings?: ClickHouseSettings;
  signal?: AbortSignal;
}

export interface InsertOptions {
  /** Quoted name of the table. */
  into: string;
  /** Unquoted names; default: all columns in the table's order. */
  columns?: readonly string[];
  /** Name of the format of the bytes: `JSONEachRow`, `TSV`. */
  format: string;
  body: Readable | Buffer;
  settings?: ClickHouseSettings;
  signal?: AbortSignal;
}

/** AUTHENTICATION_FAILED: also what ClickHouse answers for a user that does not exist. */
const AUTHENTICATION_FAILED = '516';

/**
 * A client of ClickHouse's HTTP interface. Errors of the engine stay ClickHouseError (with `code` and `type`), so that
 * core/clickhouseErrors.ts can classify them; everything else becomes a TidegateError.
 */
export class ClickHouse {
  readonly #client: ClickHouseClient;
  readonly #address: string;
  readonly #user: string;
  readonly #rowSettings: ClickHouseSettings;

  /** @param options.fixedSettings the user may change no setting; 64-bit integers come as the user's profile has them. */
  constructor(options: { url: URL; user: string; password: string; fixedSettings?: boolean }) {
    const { url, user, password, fixedSettings = false } = options;
    this.#address = url.host;
    this.#user = user;
    this.#rowSettings = fixedSettings ? {} : { output_format_json_quote_64bit_integers: 1 };
    this.#client = createClient({
      url: url.href,
      username: user,
      password,
      application: 'tidegate',
      // An insert or a merge may be silent for long; a lost connection is noticed by TCP keep-alive.
      request_timeout: 1_800_000,
      max_open_connections: 32,
      keep_alive: { enabled: true, idle_socket_ttl: 2_000 },
      // What fails is thrown to the caller, who says it once.
      log: { level: ClickHouseLogLevel.OFF },
    });
  }

  /** @throws TidegateError INVALID_SETTING when CLICKHOUSE_URL is missing or malformed. */
  static from(environment: Environment): ClickHouse {
    return new ClickHouse({
      url: environment.url('CLICKHOUSE_URL'),
      user: environment.optional('CLICKHOUSE_USER') ?? 'default',
      password: environment.optional('CLICKHOUSE_PASSWORD') ?? '',
    });
  }

  /** Runs one statement that returns nothing. */
  async command(sql: string, { params, settings, signal }: StatementOptions = {}): Promise<void> {
    await this.#guard(signal, () =>
      this.#client.command({
        query: sql,
        clickhouse_settings: { wait_end_of_query: 1, ...settings },
        ...(params && { query_params: params }),
        ...(signal && { abort_signal: signal }),
      }),
    );
  }

  /** Runs a SELECT without FORMAT; 64-bit integers and wider ones arrive as strings. Holds all rows in memory. */
  async rows<T>(sql: string, { params, settings, signal }: StatementOptions = {}): Promise<T[]> {
    const read = async () => {
      const result = await this.#client.query({
        query: sql,
        format: 'JSONEachRow',
        clickhouse_settings: { ...this.#rowSettings, ...settings },
        ...(params && { query_params: params }),
        ...(signal && { abort_signal: signal }),
      });
      return result.json<T>();
    };
    return this.#guard(signal, read);
  }

  /** The tables and views of a database, by name; none when there is no such database. */
  async tables(database: string): Promise<{ name: string; engine: string; comment: string; uuid: string }[]> {
    const sql =
      'SELECT name, engine, comment, toString(uuid) AS uuid FROM system.tables WHERE database = {database:String} ORDER BY name';
    return await this.rows(sql, { params: { database } });
  }

  /** Names of the tables and views of a database; none when there is no such database. */
  async tableNames(database: string): Promise<string[]> {
    return (await this.tables(database)).map(({ name }) => name);
  }

  /** The columns of a table or view, in its order; none when there is no such table. */
  async columns(table: { database: string; name: string }): Promise<{ name: string; type: string; comment: string }[]> {
    const sql =
      'SELECT name, type, comment FROM system.columns WHERE database = {database:String} AND table = {name:String} ORDER BY position';
    return await this.rows(sql, { params: { ...table } });
  }

  /** Whether there is such a table or view. */
  async hasTable({ database, name }: { database: string; name: string }): Promise<boolean> {
    const sql = 'SELECT 1 FROM system.tables WHERE database = {database:String} AND name = {name:String}';
    return (await this.rows(sql, { params: { database, name } })).length > 0;
  }

  /**
   * Sends bytes that are already in `format`, unchanged. An error of the body's stream breaks the request off, so that
   * ClickHouse refuses the rest of it instead of taking it for the end, and is thrown as it is.
   * @returns rows read from the body, and rows written including those of materialized views.
   */
  async insert(options: InsertOptions): Promise<{ readRows: number; writtenRows: number }> {
    const { into, columns, format, body, settings, signal } = options;
    const names = columns ? ` (${columns.map(chIdentifier).join(', ')})` : '';
    let bodyError: unknown;
    async function* bytes() {
      try {
        yield* Buffer.isBuffer(body) ? [body] : body;
      } catch (error) {
        // What breaks the request is thrown in here as well; only the body's own error is told as that.
        if (!Buffer.isBuffer(body) && body.errored === error) bodyError = error;
        throw error;
      }
    }
    const send = async () => {
      const { stream, summary } = await this.#client.exec({
        query: `INSERT INTO ${into}${names} FORMAT ${format}`,
        // As objects, each chunk is passed on as it is; as bytes, all would be copied together again.
        values: Readable.from(bytes()),
        clickhouse_settings: { wait_end_of_query: 1, ...settings },
        ...(signal && { abort_signal: signal }),
      });
      for await (const _ of stream);
      return { readRows: Number(summary?.read_rows ?? 0), writtenRows: Number(summary?.written_rows ?? 0) };
    };
    try {
      return await this.#guard(signal, send);
    } catch (error) {
      throw bodyError ?? error;
    }
  }

  /**
   * Asks for something that needs the password.
   * @throws TidegateError SERVICE_UNREACHABLE or ACCESS_DENIED.
   */
  async ping(): Promise<void> {
    await this.rows('SELECT 1');
  }

  async close(): Promise<void> {
    await this.#client.close();
  }

  /** Gives every failure its place: aborted by the caller, refused by the engine, or not answered at all. */
  async #guard<T>(signal: AbortSignal | undefined, request: () => Promise<T>): Promise<T> {
    try {
      signal?.throwIfAborted();
      return await request();
    } catch (cause) {
      signal?.throwIfAborted();
      if (cause instanceof TidegateError) throw cause;
      if (cause instanceof ClickHouseError && cause.code !== AUTHENTICATION_FAILED) throw cause;
      throw this.#connectionError(cause);
    }
  }

  #connectionError(cause: unknown): TidegateError {
    if (cause instanceof ClickHouseError) {
      return new TidegateError('ACCESS_DENIED', `ClickHouse at ${this.#address} refused the user '${this.#user}'`, {
        remedy: 'Correct CLICKHOUSE_USER and CLICKHOUSE_PASSWORD.',
        cause,
      });
    }
    return new TidegateError('SERVICE_UNREACHABLE', `ClickHouse at ${this.#address} broke off or does not answer`, {
      remedy: `Start it, or correct CLICKHOUSE_URL. The request failed with: ${messageOf(cause)}`,
      cause,
    });
  }
}
