import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Writable } from 'node:stream';
import { createBrotliCompress, createDeflate, createGzip, createZstdCompress } from 'node:zlib';
import { type ClickHouseException, httpStatus } from './errors.ts';

/** Counters of a finished statement. A counter the engine does not report is left out and sent as 0. */
export interface Summary {
  readRows?: number;
  readBytes?: number;
  writtenRows?: number;
  writtenBytes?: number;
  elapsedSeconds?: number;
}

/** Results up to this size are held back, so that their headers tell the outcome. A real server holds back 1 MiB too. */
const HOLD_BYTES = 1024 * 1024;

const ENCODERS: [string, () => Writable & NodeJS.ReadableStream][] = [
  ['zstd', createZstdCompress],
  ['gzip', createGzip],
  ['br', createBrotliCompress],
  ['deflate', createDeflate],
];

/** What a response says about its statement, and what its client can read. */
export interface ResponseOptions {
  queryId: string;
  format: string;
  /** The client's Accept-Encoding; empty sends the result as it is. */
  acceptEncoding: string;
  /** Hold the whole result back until the statement has succeeded. */
  waitEndOfQuery: boolean;
}

/** One response: a result that is streamed, with its headers, or an error in the form that clients recognise. */
export class ResultWriter {
  readonly #response: ServerResponse;
  readonly #version: string;
  readonly #tag = randomBytes(8).toString('hex');
  #options: ResponseOptions = { queryId: '', format: 'TabSeparated', acceptEncoding: '', waitEndOfQuery: false };
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  #out: Writable | undefined;

  constructor(response: ServerResponse, version: string) {
    this.#response = response;
    this.#version = version;
  }

  /** Tells what is known of the statement so far, before anything is written. */
  configure(options: ResponseOptions): void {
    this.#options = options;
  }

  /** Adds a piece of the result; waits while the client is slower than the engine. Rejects when the client has gone. */
  async write(chunk: Uint8Array): Promise<void> {
    if (!this.#out) {
      this.#held.push(chunk);
      this.#heldBytes += chunk.length;
      if (this.#heldBytes <= HOLD_BYTES || this.#options.waitEndOfQuery) return;
      await this.#start({});
      return;
    }
    await send(this.#out, chunk);
  }

  /** Ends the response of a statement that has succeeded. */
  async end(summary: Summary): Promise<void> {
    await this.#start(summary);
    this.#out!.end();
  }

  /** Ends the response of a statement that has failed, whether or not a part of its result has been sent. */
  async fail(error: ClickHouseException): Promise<void> {
    const response = this.#response;
    const text = error.render(this.#version);
    if (!this.#out) {
      this.#headers({});
      response.removeHeader('X-ClickHouse-Format');
      response.setHeader('Content-Type', 'text/plain; charset=UTF-8');
      response.setHeader('X-ClickHouse-Exception-Code', String(error.code));
      response.statusCode = httpStatus(error);
      response.end(text);
      return;
    }
    // The status is out already. Clients find this block at the end, and a chunked body without its end tells all others.
    const block = `\r\n__exception__\r\n${this.#tag}\r\n${text}${Buffer.byteLength(text)} ${this.#tag}\r\n__exception__\r\n`;
    await send(this.#out, Buffer.from(block)).catch(() => {});
    if (this.#out === response) {
      setImmediate(() => response.destroy());
      return;
    }
    this.#out.end();
  }

  async #start(summary: Summary): Promise<void> {
    if (this.#out) return;
    const response = this.#response;
    const { acceptEncoding } = this.#options;
    this.#headers(summary);
    const [name, create] = ENCODERS.find(([encoding]) => acceptEncoding.includes(encoding)) ?? [];
    if (name && create) {
      response.setHeader('Content-Encoding', name);
      const encoder = create();
      encoder.pipe(response);
      response.on('close', () => encoder.destroy?.());
      this.#out = encoder;
    } else {
      this.#out = response;
    }
    for (const chunk of this.#held) await send(this.#out, chunk);
    this.#held = [];
  }

  #headers(summary: Summary): void {
    const { queryId, format } = this.#options;
    const response = this.#response;
    response.setHeader('Content-Type', contentType(format));
    response.setHeader('X-ClickHouse-Server-Display-Name', 'tidegate');
    response.setHeader('X-ClickHouse-Query-Id', queryId);
    response.setHeader('X-ClickHouse-Format', format);
    response.setHeader('X-ClickHouse-Timezone', Intl.DateTimeFormat().resolvedOptions().timeZone);
    response.setHeader('X-ClickHouse-Exception-Tag', this.#tag);
    response.setHeader('X-ClickHouse-Summary', renderSummary(summary));
  }
}

async function send(out: Writable, chunk: Uint8Array): Promise<void> {
  if (out.destroyed) throw new Error('The client has gone.');
  if (out.write(chunk)) return;
  const gone = new AbortController();
  const stop = () => gone.abort();
  out.once('close', stop);
  try {
    await once(out, 'drain', { signal: gone.signal });
  } finally {
    out.off('close', stop);
  }
}

function renderSummary({ readRows, readBytes, writtenRows, writtenBytes, elapsedSeconds }: Summary): string {
  return JSON.stringify({
    read_rows: String(readRows ?? 0),
    read_bytes: String(readBytes ?? 0),
    written_rows: String(writtenRows ?? 0),
    written_bytes: String(writtenBytes ?? 0),
    total_rows_to_read: '0',
    result_rows: String(writtenRows ?? 0),
    result_bytes: String(writtenBytes ?? 0),
    elapsed_ns: String(Math.round((elapsedSeconds ?? 0) * 1e9)),
  });
}

function contentType(format: string): string {
  if (/^JSON.*EachRow/.test(format)) return 'application/x-ndjson; charset=UTF-8';
  if (format.startsWith('JSON')) return 'application/json; charset=UTF-8';
  if (format.startsWith('CSV')) return 'text/csv; charset=UTF-8; header=absent';
  if (/^(TabSeparated|TSV|TSKV)/.test(format)) return 'text/tab-separated-values; charset=UTF-8';
  if (/^(Values|Pretty|Vertical|Markdown|SQLInsert|LineAsString|Raw)/.test(format)) return 'text/plain; charset=UTF-8';
  if (format === 'XML') return 'application/xml; charset=UTF-8';
  return 'application/octet-stream';
}
