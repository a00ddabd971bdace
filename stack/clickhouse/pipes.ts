import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdirSync, open, openSync, rmSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';

const openAsync = promisify(open);

/**
 * Named pipes between this process and the engine in it. Rows go through them as bytes, in whatever format, with the kernel's
 * backpressure; no data is ever part of a SQL text. There is one pipe a running statement, so the pool also bounds how many run.
 */
export class PipePool {
  readonly #free: string[];
  readonly #waiting: ((pipe: string) => void)[] = [];
  readonly #folder: string;

  /** @param folder is emptied first: pipes left by a killed process are useless */
  constructor(folder: string, size: number) {
    this.#folder = folder;
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#free = Array.from({ length: size }, (_, i) => join(folder, `${i}`));
    execFileSync('mkfifo', ['-m', '600', ...this.#free]);
  }

  /** Waits for a free pipe. Give it back after both of its ends are closed. */
  take(): Promise<string> {
    const pipe = this.#free.pop();
    return pipe ? Promise.resolve(pipe) : new Promise((resolve) => this.#waiting.push(resolve));
  }

  give(pipe: string): void {
    const next = this.#waiting.shift();
    if (next) next(pipe);
    else this.#free.push(pipe);
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/**
 * Opens the reading end before the engine opens the writing one. The stream ends when the engine is done with the statement, however
 * often it opened the pipe until then: not at all when it failed early, twice when its output format failed. Read it to its end, or the
 * engine waits in a write for ever.
 *
 * @param writerDone settles when the engine is done
 */
export function readPipe(pipe: string, writerDone: Promise<unknown>): Socket {
  const fd = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
  const writer = openSync(pipe, constants.O_WRONLY | constants.O_NONBLOCK);
  const end = () => closeSync(writer);
  writerDone.then(end, end);
  return new Socket({ fd, readable: true, writable: false });
}

/**
 * Opens the writing end; waits until the engine has opened the reading one.
 *
 * @param readerDone settles when the engine is done
 * @returns undefined when the engine failed before it read anything
 */
export async function writePipe(pipe: string, readerDone: Promise<unknown>): Promise<Socket | undefined> {
  const opening = openAsync(pipe, constants.O_WRONLY);
  const never = () => undefined;
  const fd = await Promise.race([opening, readerDone.then(never, never)]);
  if (fd === undefined) {
    // Opening blocks until somebody reads. The engine will not, so this process does for a moment.
    const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
    closeSync(await opening);
    closeSync(reader);
    return undefined;
  }
  const socket = new Socket({ fd, readable: false, writable: true });
  // The write that fails reports it; the event alone would end the process.
  socket.on('error', () => {});
  return socket;
}

/** Writes one chunk and waits until the pipe has taken it. */
export function writeChunk(socket: Socket, chunk: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.write(chunk, (error) => (error ? reject(error) : resolve()));
  });
}

/** Closes this process's end and waits until it is closed: an end that lingered would mix up the pipe's next two users. */
export async function closePipe(socket: Socket): Promise<void> {
  if (socket.closed) return;
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.destroy();
  await closed;
}
