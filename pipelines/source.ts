import { readFile } from 'node:fs/promises';
import type pg from 'pg';
import { pgIdentifier, pgLiteral } from '../core/identifiers.ts';
import type { CreateOptions } from './generator.ts';

/** The role that Debezium and every load use; each source.sql creates it if it is missing and grants it its tables. */
export const CAPTURE_ROLE = 'debezium';

/** Roles belong to the whole server, so databases that are prepared side by side take turns. */
const LOCK = 'tidegate source';

export interface PreparedSource {
  owner: URL;
  capture: URL;
}

/**
 * Makes the owner role and the database if they are missing and applies the schema as superuser. Running it again
 * changes nothing but the passwords, which become those given.
 * @param schema file URL of an idempotent source.sql.
 */
export async function prepareSource(options: CreateOptions, schema: URL): Promise<PreparedSource> {
  const { open, admin, database } = options;
  const owner = `${database}_owner`;
  const server = await open(admin);
  try {
    await server.query('SELECT pg_advisory_lock(hashtext($1))', [LOCK]);
    await ensureOwner(server, { name: owner, password: options.ownerPassword });
    await ensureDatabase(server, { name: database, owner });
    const superuser = await open(urlOf(admin, { database }));
    try {
      await superuser.query("SELECT set_config('tidegate.capture_password', $1, false)", [options.capturePassword]);
      for (const file of [new URL('role.sql', import.meta.url), schema]) {
        await superuser.query(await readFile(file, 'utf8'));
      }
    } finally {
      await superuser.end();
    }
  } finally {
    await server.end();
  }
  return {
    owner: urlOf(admin, { database, user: owner, password: options.ownerPassword }),
    capture: urlOf(admin, { database, user: CAPTURE_ROLE, password: options.capturePassword }),
  };
}

async function ensureOwner(server: pg.Client, { name, password }: { name: string; password: string }): Promise<void> {
  // The password stands in the statement's text, so this session keeps its statements out of the server's log.
  await server.query("SET log_statement = 'none'; SET log_min_error_statement = 'panic'");
  const { rowCount } = await server.query('SELECT FROM pg_roles WHERE rolname = $1', [name]);
  const verb = rowCount === 0 ? 'CREATE' : 'ALTER';
  await server.query(`${verb} ROLE ${pgIdentifier(name)} LOGIN PASSWORD ${pgLiteral(password)}`);
}

async function ensureDatabase(server: pg.Client, { name, owner }: { name: string; owner: string }): Promise<void> {
  const { rowCount } = await server.query('SELECT FROM pg_database WHERE datname = $1', [name]);
  if (rowCount === 0) await server.query(`CREATE DATABASE ${pgIdentifier(name)} OWNER ${pgIdentifier(owner)}`);
}

function urlOf(base: URL, parts: { database: string; user?: string; password?: string }): URL {
  const url = new URL(base);
  url.pathname = `/${encodeURIComponent(parts.database)}`;
  // The setters leave some characters alone that end a URL's user part, so everything is encoded first.
  if (parts.user !== undefined) url.username = encodeURIComponent(parts.user);
  if (parts.password !== undefined) url.password = encodeURIComponent(parts.password);
  return url;
}
