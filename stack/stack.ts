import { rm } from 'node:fs/promises';
import { TidegateError } from '../core/errors.ts';
import { stackFailed } from './error.ts';
import {
  clearHome,
  type Home,
  leftNames,
  loadCredentials,
  loadSecret,
  openHome,
  pidFile,
  writeEnvFile,
} from './home.ts';
import { endProcess, readPidFile, removePidFile } from './identity.ts';
import { tryLock } from './lock.ts';
import { needs, type ServiceName, serviceNames, stopOrder, withNeeds } from './names.ts';
import { type AddedPortName, choosePorts, claimPort } from './ports.ts';
import { sayer } from './progress.ts';
import type { Service } from './service.ts';
import { clickhouse } from './services/clickhouse.ts';
import { connect } from './services/connect.ts';
import { kafka } from './services/kafka.ts';
import { postgres } from './services/postgres.ts';
import { temporal } from './services/temporal.ts';
import { Supervisor } from './supervisor.ts';
import { missingToolsError } from './tools.ts';

export type { ServiceName } from './names.ts';

export interface StackOptions {
  /** The folder for data, logs, passwords and pid files; made if it is not there. */
  readonly home: string;
  /** `fixed` takes the documented ports, `auto` free ones: those of the last run in this home where still free. */
  readonly ports: 'fixed' | 'auto';
  /** All services unless given; whatever these need is started too. */
  readonly services?: readonly ServiceName[];
  /** What the account `tidegate_report` of ClickHouse may do, as the middle of a GRANT: `SELECT ON db.table`; nothing unless given. */
  readonly reportGrants?: readonly string[];
  /** Forgets the data, logs and passwords of earlier runs in this home. */
  readonly fresh?: boolean;
  /** Gets plain lines such as `kafka      starting (5 s)`. */
  readonly onProgress?: (line: string) => void;
  /** Gives up the start: what has been started is stopped, and startStack rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface RunningStack {
  /** Addresses and credentials, as in the file stack.env of the home. */
  readonly env: Readonly<Record<string, string>>;
  /** The folder given as `home`, absolute. */
  readonly home: string;
  /** Adds addresses of what has been made in the stack, such as a source database, to `env` and its file. */
  publish(values: Readonly<Record<string, string>>): void;
  /** A random password of that name, made once for this home and kept. */
  secret(name: string): string;
  /** A port for one more process, chosen as those of the services are. */
  claimPort(name: AddedPortName): Promise<number>;
  /** Starts one more process under the stack's care: watched, logged, started again when it dies, stopped first. */
  run(service: Service): Promise<void>;
  /** The processes now running; a restart changes them, and a service that is down has 0. */
  readonly pids: Readonly<Record<string, number>>;
  /** Stops all services in order and keeps their data. Later calls wait for the first. */
  stop(): Promise<void>;
  /** Stops one service cleanly, starts it again and waits until it answers. */
  restart(name: string): Promise<void>;
  /** Sends a signal to a service's process, for fault tests. A service that dies of it is started again. */
  kill(name: string, signal: NodeJS.Signals): Promise<void>;
}

const services: Readonly<Record<ServiceName, Service>> = { postgres, clickhouse, kafka, connect, temporal };

/** How a process that was added to the stack is ended when its launcher is no longer there to say. */
const endingOfAdded = [{ signal: 'SIGTERM', graceMs: 20_000 }] as const;

/**
 * Starts the local stack and returns once every service has answered a real request.
 * Services left by a launcher that was killed are ended first; their data is kept.
 * @throws TidegateError when another launcher runs in this home, a port is taken, a tool is missing, or a service fails.
 */
export async function startStack(options: StackOptions): Promise<RunningStack> {
  const names = withNeeds(options.services ?? serviceNames);
  const onProgress = options.onProgress ?? (() => undefined);
  const home = openHome(options.home);
  const lock = tryLock(home.lockFile);
  if ('pid' in lock) {
    throw new TidegateError('ALREADY_RUNNING', `process ${lock.pid} already runs the stack in ${home.path}`, {
      remedy: 'Stop it there with Ctrl-C, or use another --home.',
    });
  }
  const supervisors = new Map<string, Supervisor>();
  const stopAll = async (): Promise<void> => {
    await rm(home.envFile, { force: true });
    await stopInOrder(supervisors, onProgress);
    lock.release();
  };
  try {
    await clearLeftovers(home, onProgress);
    if (options.fresh === true) await clearHome(home);
    await requireTools(names);
    const ports = await choosePorts(home, { mode: options.ports, services: names });
    const shared = { home, ports, credentials: loadCredentials(home), reportGrants: options.reportGrants ?? [] };
    const failure = new AbortController();
    const signal = options.signal === undefined ? failure.signal : AbortSignal.any([options.signal, failure.signal]);
    for (const name of names) {
      const context = { ...shared, say: sayer(name, onProgress), signal };
      supervisors.set(name, new Supervisor(services[name], context));
    }
    await startInOrder(supervisors, failure);
    const env = Object.assign({}, ...names.map((name) => services[name].env(shared))) as Record<string, string>;
    writeEnvFile(home, env);
    const run = async (service: Service): Promise<void> => {
      const supervisor = new Supervisor(service, { ...shared, say: sayer(service.name, onProgress), signal });
      supervisors.set(service.name, supervisor);
      await supervisor.start();
    };
    const claim = async (name: AddedPortName) => await claimPort(home, { mode: options.ports, name });
    return runningStack({ supervisors, env, home, run, claimPort: claim, stopAll });
  } catch (error) {
    await stopAll();
    throw options.signal?.aborted === true ? options.signal.reason : error;
  }
}

function runningStack(parts: {
  supervisors: ReadonlyMap<string, Supervisor>;
  env: Record<string, string>;
  home: Home;
  run: (service: Service) => Promise<void>;
  claimPort: RunningStack['claimPort'];
  stopAll: () => Promise<void>;
}): RunningStack {
  const { supervisors, env, home, run, claimPort, stopAll } = parts;
  const find = (name: string): Supervisor => {
    const supervisor = supervisors.get(name);
    if (supervisor === undefined) throw stackFailed(`${name} is not part of this stack`, 'Start the stack with it.');
    return supervisor;
  };
  let stopped: Promise<void> | undefined;
  return {
    env,
    home: home.path,
    publish: (values) => writeEnvFile(home, Object.assign(env, values)),
    secret: (name) => loadSecret(home, name),
    run,
    claimPort,
    get pids() {
      return Object.fromEntries([...supervisors].map(([name, { pid }]) => [name, pid]));
    },
    stop: () => {
      stopped ??= stopAll();
      return stopped;
    },
    restart: async (name) => await find(name).restart(),
    kill: async (name, signal) => find(name).signal(signal),
  };
}

/** Starts every service as soon as those it needs are ready. The first failure gives up the others and is thrown. */
async function startInOrder(supervisors: ReadonlyMap<string, Supervisor>, failure: AbortController): Promise<void> {
  const ready = new Map<string, Promise<void>>();
  for (const [name, supervisor] of supervisors) {
    const start = async (): Promise<void> => {
      await Promise.all(needs[name as ServiceName].map((other) => ready.get(other)));
      await supervisor.start();
    };
    ready.set(
      name,
      start().catch((error: unknown) => {
        failure.abort(error);
        throw error;
      }),
    );
  }
  await Promise.allSettled(ready.values());
  if (failure.signal.aborted) throw failure.signal.reason;
}

async function stopInOrder(
  supervisors: ReadonlyMap<string, Supervisor>,
  onProgress: (line: string) => void,
): Promise<void> {
  for (const wave of [addedTo([...supervisors.keys()]), ...stopOrder]) {
    const stops = wave.map(async (name) => {
      const supervisor = supervisors.get(name);
      if (supervisor === undefined) return;
      const wasRunning = supervisor.pid !== 0;
      await supervisor.stop();
      if (wasRunning) sayer(name, onProgress)('stopped');
    });
    await Promise.all(stops);
  }
}

/** Those names that are not services of the stack itself. They use the services, so they are stopped before them. */
function addedTo(names: readonly string[]): string[] {
  return names.filter((name) => !(serviceNames as readonly string[]).includes(name));
}

/** Ends the services of a launcher that was killed, known by its pid files. */
async function clearLeftovers(home: Home, onProgress: (line: string) => void): Promise<void> {
  await rm(home.envFile, { force: true });
  for (const wave of [addedTo(leftNames(home)), ...stopOrder]) {
    const ends = wave.map(async (name) => {
      const path = pidFile(home, name);
      const left = await readPidFile(path);
      if (left !== undefined) {
        sayer(name, onProgress)(`ending process ${left.pid}, left by an earlier run`);
        await endProcess(left, (services as Record<string, Service>)[name]?.ending ?? endingOfAdded);
      }
      await removePidFile(path);
    });
    await Promise.all(ends);
  }
}

async function requireTools(names: readonly ServiceName[]): Promise<void> {
  const missing = await Promise.all(names.map((name) => services[name].missingTools()));
  if (missing.flat().length > 0) throw missingToolsError(missing.flat());
}
