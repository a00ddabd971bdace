import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { connectPostgres } from '../../adapters/postgres.ts';
import { dropSlot } from '../../adapters/replication.ts';
import { pgIdentifier } from '../../core/identifiers.ts';

const applicationName = 'tidegate scenario';

/** A database of one scenario's own, its owner, and a role that may read and replicate and nothing else. */
export interface SourceDatabase {
  /** A session of the owner. */
  owner: pg.Client;
  /** A session of the server's administrator in the same database. */
  admin: pg.Client;
  url: URL;
  captureUrl: URL;
  /** Opens another session of the owner; the caller ends it. */
  connect(): Promise<pg.Client>;
  /** Opens the sessions again after the server has ended them. */
  reopen(): Promise<void>;
  /** Ends all sessions, drops the slots of the database, the database and its roles. */
  drop(): Promise<void>;
}

/** @param server URL of the administrator. */
export async function createSource(server: URL, name: string): Promise<SourceDatabase> {
  const at = (user: string | null, password: string): URL => {
    const url = new URL(server);
    url.pathname = `/${name}`;
    if (user !== null) Object.assign(url, { username: user, password });
    return url;
  };
  const ownerRole = `${name}_owner`;
  const captureRole = `${name}_capture`;
  const passwords = { owner: randomBytes(12).toString('hex'), capture: randomBytes(12).toString('hex') };
  let root = await connectPostgres(server, { applicationName });
  await root.query(`CREATE ROLE ${ownerRole} LOGIN PASSWORD '${passwords.owner}'`);
  await root.query(`CREATE ROLE ${captureRole} LOGIN REPLICATION PASSWORD '${passwords.capture}'`);
  await root.query(`CREATE DATABASE ${name} OWNER ${ownerRole} ENCODING 'UTF8' TEMPLATE template0`);
  const url = at(ownerRole, passwords.owner);
  const owner = await connectPostgres(url, { applicationName });
  await owner.query(`ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO ${captureRole};
    ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO ${captureRole}`);
  const admin = await connectPostgres(at(null, ''), { applicationName });
  const source: SourceDatabase = {
    ...{ owner, admin, url, captureUrl: at(captureRole, passwords.capture) },
    connect: () => connectPostgres(url, { applicationName }),
    async reopen() {
      root = await connectPostgres(server, { applicationName });
      source.owner = await connectPostgres(url, { applicationName });
      source.admin = await connectPostgres(at(null, ''), { applicationName });
    },
    async drop() {
      const { owner, admin } = source;
      const { rows } = await admin.query<{ slot_name: string }>(
        'SELECT slot_name FROM pg_replication_slots WHERE database = current_database()',
      );
      for (const { slot_name } of rows) await dropSlot(admin, slot_name);
      await Promise.all([owner.end(), admin.end()]);
      await root.query(`DROP DATABASE ${pgIdentifier(name)} WITH (FORCE)`);
      await root.query(`DROP ROLE ${ownerRole}`);
      await root.query(`DROP ROLE ${captureRole}`);
      await root.end();
    },
  };
  return source;
}
