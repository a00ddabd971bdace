import type { ServerResponse } from 'node:http';
import type { ChdbResult } from 'chdb';
import type { RunningStatement } from './engine.ts';
import { raise } from './errors.ts';
import { closePipe, readPipe } from './pipes.ts';
import type { ResultWriter, Summary } from './response.ts';
import type { Statement } from './statement.ts';

/** How often a SELECT whose client has gone is killed again, because the first time the engine may not have known it yet. */
const KILL_EVERY_MS = 500;

/** Runs one SELECT: the engine writes the result into a pipe in its final format, and waits when the client reads slowly. */
export async function runSelect(options: {
  select: Extract<Statement, { kind: 'select' }>;
  format: string;
  statement: RunningStatement;
  writer: ResultWriter;
  response: ServerResponse;
}): Promise<Summary> {
  const { select, format, statement, writer, response } = options;
  if (response.destroyed) throw raise.connectionLost('The client closed the connection before its query began.');
  const result = statement.run(select.sql(statement.pipe), format);
  result.catch(() => {});
  const rows = readPipe(statement.pipe, result);
  let killer: NodeJS.Timeout | undefined;
  const stop = () => {
    const kill = () => void statement.kill().catch(() => {});
    killer ??= setInterval(kill, KILL_EVERY_MS);
    kill();
  };
  response.once('close', stop);
  try {
    // The pipe is read to its end even after the client has gone, because the engine cannot be stopped while it waits in a write.
    for await (const chunk of rows) if (!killer) await writer.write(chunk).catch(stop);
    return summarise(await result);
  } finally {
    await closePipe(rows);
    response.off('close', stop);
    clearInterval(killer);
  }
}

/** The counters that the engine reports of a statement. */
export function summarise({ rowsRead, bytesRead, elapsed }: ChdbResult): Summary {
  return { readRows: rowsRead, readBytes: bytesRead, elapsedSeconds: elapsed };
}
