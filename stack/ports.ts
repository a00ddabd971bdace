import { createServer } from 'node:net';
import { stackFailed } from './error.ts';
import { readIfThere, writeFileAtomically } from './files.ts';
import type { Home } from './home.ts';
import { type ServiceName, titles } from './names.ts';

export const portNames = [
  'postgres',
  'clickhouse',
  'kafka',
  'kafkaController',
  'connect',
  'temporal',
  'temporalUi',
] as const;

export type PortName = (typeof portNames)[number];
export type Ports = Readonly<Record<PortName, number>>;

/** Ports of what may be started beside the stack's own services. */
export const addedPorts = { report: 18090, login: 18091 } as const;
export type AddedPortName = keyof typeof addedPorts;

export const fixedPorts: Ports = {
  postgres: 15432,
  clickhouse: 18123,
  kafka: 19092,
  kafkaController: 19093,
  connect: 18083,
  temporal: 17233,
  temporalUi: 18233,
};

const owners: Readonly<Record<PortName, ServiceName>> = {
  postgres: 'postgres',
  clickhouse: 'clickhouse',
  kafka: 'kafka',
  kafkaController: 'kafka',
  connect: 'connect',
  temporal: 'temporal',
  temporalUi: 'temporal',
};

const host = '127.0.0.1';

/**
 * Decides on the ports of the given services.
 * Free ports are the ones used before in this home where possible, so that addresses which others noted stay true.
 * @throws TidegateError naming each fixed port that another program holds.
 */
export async function choosePorts(
  home: Home,
  options: { mode: 'fixed' | 'auto'; services: readonly ServiceName[] },
): Promise<Ports> {
  const used = portNames.filter((name) => options.services.includes(owners[name]));
  if (options.mode === 'fixed') {
    await requireFree(used);
    return fixedPorts;
  }
  const before = JSON.parse(readIfThere(home.portsFile) ?? '{}') as Partial<Record<PortName, number>>;
  const ports: Record<PortName, number> = { ...fixedPorts, ...before };
  const taken = new Set<number>();
  for (const name of used) {
    const earlier = before[name];
    ports[name] = earlier !== undefined && (await isFree(earlier)) ? earlier : await findFree(taken);
    taken.add(ports[name]);
  }
  writeFileAtomically(home.portsFile, `${JSON.stringify(ports, null, 2)}\n`, 0o600);
  return ports;
}

/**
 * A port for a process that is added to the stack, chosen as those of the stack are.
 * @throws TidegateError when another program holds the fixed one.
 */
export async function claimPort(home: Home, options: { mode: 'fixed' | 'auto'; name: AddedPortName }): Promise<number> {
  const { mode, name } = options;
  if (mode === 'fixed') {
    if (await isFree(addedPorts[name])) return addedPorts[name];
    throw stackFailed(
      `port ${addedPorts[name]} (${name}) is in use by another program`,
      'Free it, or start with --ports auto.',
    );
  }
  const before = JSON.parse(readIfThere(home.portsFile) ?? '{}') as Record<string, number>;
  const earlier = before[name];
  const port =
    earlier !== undefined && (await isFree(earlier)) ? earlier : await findFree(new Set(Object.values(before)));
  writeFileAtomically(home.portsFile, `${JSON.stringify({ ...before, [name]: port }, null, 2)}\n`, 0o600);
  return port;
}

async function requireFree(names: readonly PortName[]): Promise<void> {
  const busy: string[] = [];
  for (const name of names) {
    if (!(await isFree(fixedPorts[name]))) busy.push(`port ${fixedPorts[name]} (${titles[owners[name]]})`);
  }
  if (busy.length === 0) return;
  const subject = busy.length === 1 ? `${busy[0]} is` : `${busy.join(', ')} are`;
  const them = busy.length === 1 ? 'it' : 'them';
  throw stackFailed(`${subject} in use by another program`, `Free ${them}, or start with --ports auto.`);
}

/** Looks below the range from which systems give out ports for outgoing connections, so none is taken by chance. */
async function findFree(taken: ReadonlySet<number>): Promise<number> {
  for (let attempt = 0; attempt < 500; attempt++) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    if (!taken.has(port) && (await isFree(port))) return port;
  }
  throw stackFailed('no free port between 20000 and 32000 on 127.0.0.1', 'End some programs that listen there.');
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
