import type { Socket } from 'node:net';
import type { RequestBody } from './body.ts';
import type { RunningStatement } from './engine.ts';
import { closePipe, writeChunk, writePipe } from './pipes.ts';
import type { Summary } from './response.ts';
import type { Statement } from './statement.ts';

/** A body up to this size reaches the engine only after all of it has arrived: cut short, it inserts nothing. */
const HOLD_BYTES = 16 * 1024 * 1024;

/** The rows of an INSERT: what has arrived, and where more comes from unless that was all. */
export interface InsertData {
  arrived: Buffer[];
  rest: RequestBody | undefined;
}

/** Receives a body up to 16 MiB whole, or the beginning of a larger one. A slow client thereby keeps no statement running. */
export async function receiveFirst(first: Buffer, body: RequestBody): Promise<InsertData> {
  const arrived = [first];
  let size = first.length;
  while (size < HOLD_BYTES) {
    const chunk = await body.next();
    if (!chunk) return { arrived, rest: undefined };
    arrived.push(chunk);
    size += chunk.length;
  }
  return { arrived, rest: body };
}

/**
 * Runs one INSERT whose rows come as bytes. Whatever its size, it is one insert of the engine, fed through a pipe at the engine's speed;
 * memory stays bounded. When the client is cut off in the middle of a larger body, the statement is killed before its pipe ends, so only
 * blocks that the engine had already written stay, as on a real server.
 *
 * @returns read_rows: the rows that the engine parsed from the body (0 for INSERT SELECT FROM input(), which reports none)
 */
export async function runInsert(options: {
  insert: Extract<Statement, { kind: 'insert' }>;
  data: InsertData;
  statement: RunningStatement;
}): Promise<Summary> {
  const { insert, data, statement } = options;
  const result = statement.run(insert.sql(statement.pipe), 'Null');
  result.catch(() => {});
  const pipe = await writePipe(statement.pipe, result);
  if (pipe) {
    try {
      for (const chunk of data.arrived.splice(0)) await writeUnlessClosed(pipe, chunk);
      if (data.rest) await forward(data.rest, pipe);
    } catch (error) {
      await statement.kill();
      await closePipe(pipe);
      await result.catch(() => {});
      throw error;
    }
    await closePipe(pipe);
  }
  const { rowsRead, bytesRead, elapsed } = await result;
  return {
    readRows: rowsRead,
    readBytes: bytesRead,
    writtenRows: rowsRead,
    writtenBytes: bytesRead,
    elapsedSeconds: elapsed,
  };
}

async function forward(body: RequestBody, pipe: Socket): Promise<void> {
  for (let chunk = await body.next(); chunk && !pipe.destroyed; chunk = await body.next()) {
    await writeUnlessClosed(pipe, chunk);
  }
}

/** The engine closes its end early when it has failed; its own error then says why, so this one is of no interest. */
async function writeUnlessClosed(pipe: Socket, chunk: Buffer): Promise<void> {
  if (pipe.destroyed || chunk.length === 0) return;
  await writeChunk(pipe, chunk).catch(() => pipe.destroy());
}
