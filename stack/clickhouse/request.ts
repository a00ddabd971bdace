import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { raise } from './errors.ts';

/** Everything that a request says outside of its body. */
export interface QueryRequest {
  queryId: string;
  /** SQL, or its first part, from the URL. */
  query: string;
  database: string | undefined;
  user: string;
  password: string;
  /** Settings of this one statement, in the order of the URL. */
  settings: Map<string, string>;
  /** Values of `{name:Type}` substitutions, escaped as in TabSeparated. */
  params: Map<string, string>;
  defaultFormat: string;
  /** Hold the whole result back until the statement has succeeded. */
  waitEndOfQuery: boolean;
  /** Encodings the client accepts for the result; empty when it did not ask for compression. */
  acceptEncoding: string;
  contentEncoding: string;
  /** GET may only read. */
  readonlyMethod: boolean;
}

/** URL parameters of the interface itself, or of features that make no difference here; none of them reaches the engine. */
const NOT_SETTINGS = new Set([
  'query',
  'database',
  'user',
  'password',
  'quota_key',
  'role',
  'query_id',
  'session_id',
  'session_check',
  'session_timeout',
  'close_session',
  'stacktrace',
  'default_format',
  'wait_end_of_query',
  'buffer_size',
  'compress',
  'decompress',
  'client_protocol_version',
  'enable_http_compression',
  'http_zlib_compression_level',
  'http_make_head_request',
  'http_response_buffer_size',
  'send_progress_in_http_headers',
  'http_headers_progress_interval_ms',
  'cancel_http_readonly_queries_on_client_close',
  'http_write_exception_in_output_format',
  'async_insert',
  'wait_for_async_insert',
  'wait_for_async_insert_timeout',
  'async_insert_busy_timeout_ms',
  'async_insert_max_data_size',
  'async_insert_deduplicate',
]);

/**
 * Reads the URL and the headers of a request.
 *
 * @throws ClickHouseException for what is not implemented and for malformed setting names
 */
export function readRequest(message: IncomingMessage): QueryRequest {
  const url = new URL(message.url ?? '/', 'http://localhost').searchParams;
  const header = (name: string): string | undefined => {
    const value = message.headers[name];
    return Array.isArray(value) ? value[0] : value;
  };
  if (url.get('decompress') === '1' || url.get('compress') === '1') {
    throw raise.notImplemented("ClickHouse's block compression is not spoken here. Use Content-Encoding instead.");
  }
  const settings = new Map<string, string>();
  const params = new Map<string, string>();
  for (const [name, value] of url) {
    if (name.startsWith('param_')) params.set(name.slice('param_'.length), value);
    else if (!NOT_SETTINGS.has(name)) settings.set(name, value);
  }
  const [user, password] = credentials(header, url);
  return {
    queryId: url.get('query_id') || header('x-clickhouse-query-id') || randomUUID(),
    query: url.getAll('query').join(''),
    database: url.get('database') || header('x-clickhouse-database') || undefined,
    user,
    password,
    settings,
    params,
    defaultFormat: url.get('default_format') || header('x-clickhouse-format') || 'TabSeparated',
    waitEndOfQuery: isOn(url.get('wait_end_of_query')),
    acceptEncoding: isOn(url.get('enable_http_compression')) ? (header('accept-encoding') ?? '') : '',
    contentEncoding: (header('content-encoding') ?? '').trim().toLowerCase(),
    readonlyMethod: message.method === 'GET',
  };
}

function credentials(header: (name: string) => string | undefined, url: URLSearchParams): [string, string] {
  const user = header('x-clickhouse-user');
  if (user !== undefined) return [user, header('x-clickhouse-key') ?? ''];
  const [scheme, encoded] = (header('authorization') ?? '').split(' ');
  if (scheme?.toLowerCase() === 'basic' && encoded) {
    const pair = Buffer.from(encoded, 'base64').toString('utf8');
    const colon = pair.indexOf(':');
    return colon < 0 ? [pair, ''] : [pair.slice(0, colon), pair.slice(colon + 1)];
  }
  return [url.get('user') || 'default', url.get('password') ?? ''];
}

function isOn(value: string | null): boolean {
  return value === '1' || value === 'true';
}
