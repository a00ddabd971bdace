import { type Readable, Transform, type TransformCallback } from 'node:stream';
import type pg from 'pg';
import { to } from 'pg-copy-streams';
import { TidegateError } from '../core/errors.ts';
import { sourceError } from './postgresCopyErrors.ts';

const CHUNK_BYTES = 1024 * 1024;
const NEWLINE = 10;

/** Counts what passes, and holds the end back until `complete` has found the rows to be all. */
class CountedRows extends Transform {
  rows = 0;
  bytes = 0;
  readonly #onChunk: (passed: Passed) => void;
  readonly #complete: () => Promise<void>;

  constructor({ onChunk, complete }: { onChunk: (passed: Passed) => void; complete: () => Promise<void> }) {
    super({ highWaterMark: CHUNK_BYTES });
    this.#onChunk = onChunk;
    this.#complete = complete;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    let rows = 0;
    // A newline within a value is written as \n, so each of these bytes ends a row.
    for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, at + 1)) rows += 1;
    this.rows += rows;
    this.bytes += chunk.length;
    this.#onChunk({ rows, bytes: chunk.length });
    done(null, chunk);
  }

  override _flush(done: TransformCallback): void {
    this.#complete().then(() => done(), done);
  }
}

/** Rows and bytes of COPY's text format. */
export interface Passed {
  rows: number;
  bytes: number;
}

/** A running COPY. */
export interface CopyOut {
  /** The rows in COPY's text format. It ends only after the source's row tag has arrived and equals the rows that passed. */
  body: Readable;
  /** What has passed; after the end this is all of it. */
  passed(): Passed;
  /** Why the source stopped sending; null while it has not failed. */
  failure(): TidegateError | null;
}

/**
 * Starts `COPY (select) TO STDOUT`. An error of the source destroys the body, so that it can never be taken for the end
 * of the rows. After a failure, or when the body was destroyed, the session is of no more use: end it, which closes its
 * socket and so stops the query.
 * @param options.onChunk is called for each chunk with the rows and bytes in it.
 */
export function copyOut(session: pg.Client, options: { select: string; onChunk: (passed: Passed) => void }): CopyOut {
  let failure: TidegateError | null = null;
  const source = session.query(to(`COPY (${options.select}) TO STDOUT`, { highWaterMark: CHUNK_BYTES }));
  const fail = (error: unknown): TidegateError => {
    failure ??= sourceError(error);
    return failure;
  };
  const complete = async () => {
    // The rows end before their tag arrives. This is answered after it, or refused when COPY failed at its very end.
    await session.query('SELECT 1').catch((error) => Promise.reject(fail(error)));
    if (source.rowCount !== body.rows) {
      const what = `the source sent ${body.rows} rows and then said that it had sent ${source.rowCount}`;
      throw fail(new TidegateError('SHORT_LOAD', what, { remedy: 'Nothing was taken over; the copy is made again.' }));
    }
  };
  const body = new CountedRows({ onChunk: options.onChunk, complete });
  source.on('error', (error) => body.destroy(fail(error)));
  // The source may fail before anybody reads. Whoever reads later meets the error then; unheard, it would end the process.
  body.on('error', () => undefined);
  body.on('close', () => source.destroy());
  source.pipe(body);
  return { body, passed: () => ({ rows: body.rows, bytes: body.bytes }), failure: () => failure };
}
