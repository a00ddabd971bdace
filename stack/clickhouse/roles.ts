import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { User } from './users.ts';

/** Held by the engine's one user, for the accounts that may do everything. */
const EVERYTHING = 'everything';

/**
 * Writes the engine's configuration, in which each account with grants is a role. The engine's one user has all the roles
 * and nothing besides, so a statement under one role has the rights of that role, checked by the engine itself.
 *
 * @returns the file that the engine is started with
 */
export function writeRoles(path: string, users: readonly User[]): string {
  const folder = join(resolve(path), 'access');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const roles = [
    { name: EVERYTHING, grants: ['ALL ON *.*'] },
    ...users.flatMap(({ name, grants }) => (grants ? [{ name, grants }] : [])),
  ];
  const role = ({ name, grants }: (typeof roles)[number]) =>
    grants.length === 0 ? `<${name}/>` : `<${name}><grants>${grants.map(query).join('')}</grants></${name}>`;
  const usersFile = join(folder, 'users.xml');
  const granted = roles.map(({ name }) => query(name)).join('');
  writeFileSync(
    usersFile,
    `<clickhouse><profiles><default/></profiles><quotas><default/></quotas>
<roles>${roles.map(role).join('\n')}</roles>
<users><default><password/><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota>
<grants>${granted}</grants></default></users></clickhouse>\n`,
  );
  const file = join(folder, 'config.xml');
  writeFileSync(file, `<clickhouse><users_config>${escaped(usersFile)}</users_config></clickhouse>\n`);
  return file;
}

function query(grant: string): string {
  return `<query>GRANT ${escaped(grant)}</query>`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
