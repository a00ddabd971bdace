import type { IncomingMessage } from 'node:http';
import type { Readable, Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib';
import { ClickHouseException, raise } from './errors.ts';
import { Lz4Decoder } from './lz4.ts';

const DECODERS: Record<string, () => Transform> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
  zstd: createZstdDecompress,
  lz4: () => new Lz4Decoder(),
};

/**
 * A request's body, decompressed, chunk by chunk. It ends only when the client has sent all of it: a connection that was cut raises.
 */
export class RequestBody {
  readonly #chunks: AsyncIterator<Buffer>;
  readonly #message: IncomingMessage;

  constructor(message: IncomingMessage, encoding: string) {
    this.#message = message;
    let source: Readable = message;
    if (encoding !== '' && encoding !== 'identity') {
      const decoder = DECODERS[encoding]?.();
      if (!decoder) {
        const known = Object.keys(DECODERS).join(', ');
        throw raise.notImplemented(`Unknown Content-Encoding '${encoding}'. Use one of: ${known}.`);
      }
      message.on('error', (error) => decoder.destroy(error));
      source = message.pipe(decoder);
    }
    this.#chunks = source[Symbol.asyncIterator]();
  }

  /**
   * The next chunk; undefined at the end.
   *
   * @throws ClickHouseException when the client went away early, or the compressed data is broken
   */
  async next(): Promise<Buffer | undefined> {
    try {
      const { done, value } = await this.#chunks.next();
      if (!done) return value;
    } catch (error) {
      if (error instanceof ClickHouseException) throw error;
      if (this.#message.complete) throw raise.badBody(`Cannot decompress the request body: ${error}`);
    }
    if (!this.#message.complete) throw raise.connectionLost('The client closed the connection before the body ended.');
    return undefined;
  }
}
