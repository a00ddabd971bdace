import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { readIfThere, writeFileAtomically } from './files.ts';

/** Where a stack keeps what belongs to it. All paths are absolute. */
export interface Home {
  readonly path: string;
  readonly data: string;
  readonly config: string;
  readonly logs: string;
  readonly run: string;
  /** Files that connectors may refer to as `${file:PATH:KEY}`; Kafka Connect can read no other folder that way. */
  readonly secrets: string;
  readonly envFile: string;
  readonly portsFile: string;
  readonly credentialsFile: string;
  readonly lockFile: string;
}

/** Random once per home and kept, so that a restart finds its data under the same passwords. */
export interface Credentials {
  readonly postgresPassword: string;
  readonly clickhousePassword: string;
  readonly clickhouseReaderPassword: string;
  readonly kafkaClusterId: string;
}

export function openHome(path: string): Home {
  const root = resolve(path);
  const home: Home = {
    path: root,
    data: join(root, 'data'),
    config: join(root, 'config'),
    logs: join(root, 'logs'),
    run: join(root, 'run'),
    secrets: join(root, 'secrets'),
    envFile: join(root, 'stack.env'),
    portsFile: join(root, 'ports.json'),
    credentialsFile: join(root, 'credentials.json'),
    lockFile: join(root, 'run', 'launcher.pid'),
  };
  makeFolders(home);
  return home;
}

function makeFolders(home: Home): void {
  // PostgreSQL may run as another user than the launcher, so the way to its data stays open; files inside are not.
  for (const folder of [home.path, home.data, home.logs, home.run]) mkdirSync(folder, { recursive: true });
  for (const folder of [home.config, home.secrets]) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    chmodSync(folder, 0o700);
  }
}

/** Forgets all data, logs and passwords of an earlier run; touches nothing in the folder but what a stack made. */
export async function clearHome(home: Home): Promise<void> {
  const owned = [home.data, home.config, home.logs, home.secrets, home.envFile, home.portsFile, home.credentialsFile];
  await Promise.all(owned.map((path) => rm(path, { recursive: true, force: true })));
  makeFolders(home);
}

export function pidFile(home: Home, name: string): string {
  return join(home.run, `${name}.pid`);
}

export function logFile(home: Home, name: string): string {
  return join(home.logs, `${name}.log`);
}

export function loadCredentials(home: Home): Credentials {
  const text = readIfThere(home.credentialsFile);
  if (text !== undefined) return JSON.parse(text) as Credentials;
  const secret = (): string => randomBytes(24).toString('base64url');
  const credentials: Credentials = {
    postgresPassword: secret(),
    clickhousePassword: secret(),
    clickhouseReaderPassword: secret(),
    kafkaClusterId: clusterId(),
  };
  writeFileAtomically(home.credentialsFile, `${JSON.stringify(credentials, null, 2)}\n`, 0o600);
  return credentials;
}

/** A password for something in the stack, such as a role: random, made once for this home and name. */
export function loadSecret(home: Home, name: string): string {
  const file = join(home.config, 'passwords.json');
  const known = JSON.parse(readIfThere(file) ?? '{}') as Record<string, string>;
  const secret = known[name] ?? randomBytes(24).toString('base64url');
  if (known[name] === undefined) writeFileAtomically(file, JSON.stringify({ ...known, [name]: secret }), 0o600);
  return secret;
}

/** Names of the processes whose pid files stand in the home, the launcher's own left out. */
export function leftNames(home: Home): string[] {
  const names = readdirSync(home.run).flatMap((file) => /^(.+)\.pid$/.exec(file)?.[1] ?? []);
  return names.filter((name) => pidFile(home, name) !== home.lockFile);
}

/** Kafka's form of a UUID: 16 bytes in 22 characters; a leading dash would look like a flag to its tools. */
function clusterId(): string {
  for (;;) {
    const id = randomBytes(16).toString('base64url');
    if (!id.startsWith('-')) return id;
  }
}

export function writeEnvFile(home: Home, env: Readonly<Record<string, string>>): void {
  const lines = Object.entries(env).map(([key, value]) => `${key}=${value}\n`);
  writeFileAtomically(home.envFile, lines.join(''), 0o600);
}
