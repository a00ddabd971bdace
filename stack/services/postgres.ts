import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { stackFailed } from '../error.ts';
import { readIfThere } from '../files.ts';
import { commandLine, endProcess, identify } from '../identity.ts';
import { type Account, accountFor, asAccount, handOver } from '../postgresAccount.ts';
import { findPostgres } from '../postgresBinaries.ts';
import { withHeartbeat } from '../progress.ts';
import type { Command, Service, ServiceContext } from '../service.ts';
import { run } from '../tools.ts';

/** PostgreSQL 18 with logical decoding; passwords by SCRAM, texts in UTF-8, sorted by code point. */
export const postgres: Service = {
  name: 'postgres',
  missingTools: async () => [],
  // SIGINT is PostgreSQL's fast shutdown, SIGQUIT its immediate one, after which it recovers at the next start.
  ending: [
    { signal: 'SIGINT', graceMs: 30_000 },
    { signal: 'SIGQUIT', graceMs: 10_000 },
  ],

  async prepare(context) {
    const binaries = await findPostgres();
    const folder = join(context.home.data, 'postgres');
    const account = await accountFor(folder, binaries.postgres);
    if (!existsSync(folder)) await initialise(context, { folder, account, initdb: binaries.initdb });
    await clearPostmasterPid(folder);
    const settings = {
      listen_addresses: '127.0.0.1',
      port: context.ports.postgres,
      unix_socket_directories: '',
      wal_level: 'logical',
      max_wal_senders: 10,
      max_replication_slots: 10,
      max_connections: 200,
    };
    const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    return asAccount({ file: binaries.postgres, args: ['-D', folder, ...flags] }, account);
  },

  async check(context) {
    const client = new pg.Client({ connectionString: url(context), connectionTimeoutMillis: 5000 });
    // A server that stops while it is asked ends the connection a second time, outside the query.
    client.on('error', () => undefined);
    try {
      await client.connect();
      await client.query('SELECT 1');
    } catch (error) {
      if ((error as { code?: string }).code === '28P01') {
        throw stackFailed(
          `PostgreSQL's data in ${context.home.data} has another password than ${context.home.credentialsFile}`,
          'Put that file back, or start with --fresh to forget the data.',
        );
      }
      throw error;
    } finally {
      await client.end();
    }
  },

  env: (context) => ({ POSTGRES_URL: url(context) }),
};

function url({ ports, credentials }: Pick<ServiceContext, 'ports' | 'credentials'>): string {
  return `postgres://postgres:${credentials.postgresPassword}@127.0.0.1:${ports.postgres}/postgres`;
}

/**
 * PostgreSQL writes a pid file of its own and does not start while that pid is in use, be it by another program that
 * got the number of a killed server. So such a file is removed, and a server of this very folder is ended.
 */
async function clearPostmasterPid(folder: string): Promise<void> {
  const file = join(folder, 'postmaster.pid');
  const process = identify(Number.parseInt(readIfThere(file) ?? '0', 10));
  if (process === undefined) return;
  if (commandLine(process.pid).includes(`-D ${folder} `)) await endProcess(process, postgres.ending);
  else rmSync(file, { force: true });
}

/** Makes the database cluster beside its place and then moves it there, so that half of one is never started. */
async function initialise(
  context: ServiceContext,
  options: { folder: string; account: Account; initdb: string },
): Promise<void> {
  const { folder, account, initdb } = options;
  const draft = `${folder}.new`;
  const passwordFile = `${folder}.password`;
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft, { mode: 0o700 });
  handOver(draft, account);
  rmSync(passwordFile, { force: true });
  writeFileSync(passwordFile, `${context.credentials.postgresPassword}\n`, { mode: 0o600, flag: 'wx' });
  handOver(passwordFile, account);
  const args = [
    ...['--pgdata', draft, '--username', 'postgres', '--pwfile', passwordFile, '--auth', 'scram-sha-256'],
    // The builtin provider sorts as C does and, unlike it, knows upper and lower case beyond ASCII.
    ...['--encoding', 'UTF8', '--locale', 'C', '--locale-provider', 'builtin', '--builtin-locale', 'C.UTF-8'],
  ];
  const command: Command = asAccount({ file: initdb, args }, account);
  try {
    await withHeartbeat({ say: context.say, doing: 'creating the database cluster' }, () =>
      run(command.file, { ...command, signal: context.signal }),
    );
  } finally {
    rmSync(passwordFile, { force: true });
  }
  renameSync(draft, folder);
}
