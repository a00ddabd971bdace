import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, TidegateError } from '../core/errors.ts';
import { stackFailed } from './error.ts';
import { logFile, pidFile } from './home.ts';
import { endProcess, isRunning, removePidFile, signalProcess, writePidFile } from './identity.ts';
import { type Launched, launch, tailLog } from './launch.ts';
import { titleOf } from './names.ts';
import { withHeartbeat } from './progress.ts';
import type { Command, Service, ServiceContext } from './service.ts';

const startDeadlineMs = 180_000;
const firstBackOffMs = 500;
const longestBackOffMs = 30_000;
/** A service that ran this long had started well, so its next death begins the back-off anew. */
const steadyMs = 60_000;

/**
 * Runs one service for as long as it is wanted. Between start() and stop() a process that ends is started again, after
 * a pause that doubles with each death. restart() and stop() wait for whatever is under way, so they never interleave.
 */
export class Supervisor {
  readonly #service: Service;
  readonly #context: ServiceContext;
  #command: Command | undefined;
  #launched: Launched | undefined;
  #wanted = new AbortController();
  #queue: Promise<unknown> = Promise.resolve();
  #deaths = 0;

  constructor(service: Service, context: ServiceContext) {
    this.#service = service;
    this.#context = context;
  }

  /** The pid of the current process; 0 while there is none. */
  get pid(): number {
    return this.#launched?.identity.pid ?? 0;
  }

  /** @throws TidegateError with the end of the log when the service does not come up. */
  async start(): Promise<void> {
    this.#command = await this.#service.prepare(this.#context);
    await this.#enqueue(() => this.#bringUp());
  }

  async restart(): Promise<void> {
    await this.#enqueue(async () => {
      await this.#bringDown();
      this.#context.say('restarting');
      await this.#bringUp();
    });
  }

  async stop(): Promise<void> {
    this.#wanted.abort();
    await this.#enqueue(() => this.#bringDown());
  }

  /** Sends a signal to the process; a deadly one counts as a death, after which the service is started again. */
  signal(signal: NodeJS.Signals): void {
    if (this.#launched === undefined || !signalProcess(this.#launched.identity, signal)) {
      throw stackFailed(
        `${titleOf(this.#service.name)} is not running, so it cannot get ${signal}`,
        'Wait until it is up.',
      );
    }
  }

  #enqueue<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(work);
    this.#queue = done.catch(() => undefined);
    return done;
  }

  async #bringUp(): Promise<void> {
    const { name } = this.#service;
    const { home, say, signal } = this.#context;
    const givenUp = AbortSignal.any([signal, this.#wanted.signal]);
    givenUp.throwIfAborted();
    const launched = launch(this.#command!, logFile(home, name));
    this.#launched = launched;
    writePidFile(pidFile(home, name), launched.identity);
    const started = performance.now();
    try {
      await withHeartbeat({ say, doing: 'starting' }, () => this.#becomeReady(launched, givenUp));
    } catch (error) {
      await this.#bringDown();
      throw error;
    }
    say(`ready (${((performance.now() - started) / 1000).toFixed(1)} s)`);
    void this.#watch(launched, Date.now());
  }

  async #becomeReady(launched: Launched, givenUp: AbortSignal): Promise<void> {
    let ended: string | undefined;
    void launched.exited.then((how) => {
      ended = how;
    });
    const deadline = Date.now() + startDeadlineMs;
    let last = '';
    while (ended === undefined && Date.now() < deadline) {
      givenUp.throwIfAborted();
      try {
        await this.#service.check(this.#context);
        return;
      } catch (error) {
        if (error instanceof TidegateError) throw error;
        last = messageOf(error);
      }
      await Promise.race([sleep(100), launched.exited]);
    }
    throw this.#failure(ended ?? `it did not answer within ${startDeadlineMs / 1000} s (${last})`);
  }

  #failure(why: string): TidegateError {
    const log = logFile(this.#context.home, this.#service.name);
    const tail = tailLog(log).replaceAll(/^/gm, '  ');
    return stackFailed(
      `${titleOf(this.#service.name)} did not start: ${why}\n${tail || '  (its log is empty)'}`,
      `Its log, of which the end follows, is ${log}.`,
    );
  }

  async #watch(launched: Launched, readyAt: number): Promise<void> {
    let how = await launched.exited;
    // A process that was replaced or is being stopped ends as it should.
    if (this.#launched !== launched || this.#wanted.signal.aborted) return;
    if (Date.now() - readyAt > steadyMs) this.#deaths = 0;
    for (;;) {
      const pause = Math.min(firstBackOffMs * 2 ** this.#deaths, longestBackOffMs);
      this.#deaths++;
      this.#context.say(`died: ${how}; starting it again in ${pause / 1000} s`);
      await sleep(pause, undefined, { signal: this.#wanted.signal }).catch(() => undefined);
      if (this.#wanted.signal.aborted) return;
      try {
        await this.#enqueue(async () => {
          // A restart() asked for during the pause has done the work already.
          if (this.#launched !== undefined && isRunning(this.#launched.identity)) return;
          await this.#bringUp();
        });
        return;
      } catch (error) {
        if (this.#wanted.signal.aborted) return;
        how = (error as Error).message.split('\n')[0] ?? '';
      }
    }
  }

  async #bringDown(): Promise<void> {
    const launched = this.#launched;
    this.#launched = undefined;
    if (launched === undefined) return;
    await endProcess(launched.identity, this.#service.ending);
    await removePidFile(pidFile(this.#context.home, this.#service.name));
  }
}
