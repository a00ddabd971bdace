import type { Socket } from 'node:net';
import type { RequestBody } from './body.ts';
import type { RunningStatement } from './engine.ts';
import { writeChunk, writePipe } from './pipes.ts';
import type { Summary } from './response.ts';
import type { Statement } from './statement.ts';

/** A body up to this size reaches the engine only after all of it has arrived: cut short, it inserts nothing. */
const HOLD_BYTES = 16 * 1024 * 1024;

/**
 * Runs one INSERT whose rows follow as bytes. Whatever its size, it is one insert of the engine, fed through a pipe at the engine's
 * speed; memory stays bounded. When the client is cut off in the middle of a larger body, the statement is killed before its pipe ends,
 * so only blocks that the engine had already written stay, as on a real server.
 *
 * @param first the part of the data that was read together with the SQL
 * @returns read_rows: the rows that the engine parsed from the body (0 for INSERT SELECT FROM input(), which reports none)
 */
export async function runInsert(options: {
  insert: Extract<Statement, { kind: 'insert' }>;
  first: Buffer;
  body: RequestBody;
  statement: RunningStatement;
}): Promise<Summary> {
  const { insert, first, body, statement } = options;
  const held = [first];
  let size = first.length;
  let chunk: Buffer | undefined = first;
  while (size < HOLD_BYTES) {
    chunk = await body.next();
    if (!chunk) break;
    held.push(chunk);
    size += chunk.length;
  }
  const result = statement.run(insert.sql(statement.pipe), 'Null');
  result.catch(() => {});
  const pipe = await writePipe(statement.pipe, result);
  if (pipe) {
    try {
      for (const part of held.splice(0)) await writeUnlessClosed(pipe, part);
      if (chunk) await forward(body, pipe);
    } catch (error) {
      await statement.kill();
      pipe.destroy();
      await result.catch(() => {});
      throw error;
    }
    pipe.destroy();
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
