import { execFileSync } from 'node:child_process';
import { chownSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { stackFailed } from './error.ts';
import type { Command } from './service.ts';
import { which } from './tools.ts';

/**
 * As whom PostgreSQL runs. It refuses to run as root, so root lends it an unprivileged account; `reach` says that this
 * account cannot enter the folders that lead to the data or the programs by itself.
 */
export interface Account {
  readonly uid?: number;
  readonly gid?: number;
  readonly reach?: boolean;
}

/**
 * The account for a data folder, which may not exist yet: the launcher's own unless that is root's.
 * @throws TidegateError when root has no account to lend, or none that can get to the folder or the program.
 */
export async function accountFor(folder: string, program: string): Promise<Account> {
  if (process.getuid?.() !== 0) return {};
  const owner = statSync(folder, { throwIfNoEntry: false });
  const account = owner === undefined || owner.uid === 0 ? lookUp(['postgres', 'nobody']) : pick(owner);
  const closed = closedFolder(dirname(folder)) ?? closedFolder(dirname(program));
  if (closed !== undefined && (await which('setpriv')) === undefined) {
    throw stackFailed(
      `PostgreSQL does not run as root, and the user that root lends it cannot enter ${closed}`,
      `Run as another user, or: apt-get install util-linux, for setpriv, or: chmod o+x ${closed}`,
    );
  }
  return { ...account, reach: closed !== undefined };
}

/** The command as the account runs it. */
export function asAccount(command: Command, account: Account): Command {
  const { uid, gid, reach } = account;
  if (uid === undefined || gid === undefined) return command;
  if (!reach) return { ...command, uid, gid };
  // setpriv replaces itself by the program, so the pid stays. The one capability left lets it pass closed folders.
  const capability = '+dac_read_search';
  const ids = [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups'];
  const capabilities = [`--inh-caps=-all,${capability}`, `--ambient-caps=-all,${capability}`];
  return { ...command, file: 'setpriv', args: [...ids, ...capabilities, '--', command.file, ...command.args] };
}

/** Gives a file or folder to the account. */
export function handOver(path: string, { uid, gid }: Account): void {
  if (uid !== undefined && gid !== undefined) chownSync(path, uid, gid);
}

function pick({ uid, gid }: { uid: number; gid: number }): { uid: number; gid: number } {
  return { uid, gid };
}

function lookUp(names: readonly string[]): { uid: number; gid: number } {
  for (const name of names) {
    try {
      const id = (flag: string): number =>
        Number(execFileSync('id', [flag, name], { encoding: 'utf8', stdio: 'pipe' }));
      return { uid: id('-u'), gid: id('-g') };
    } catch {
      // There is no such user; the next name may be one.
    }
  }
  throw stackFailed(
    `PostgreSQL does not run as root, and there is no user ${names.join(' or ')} to lend it`,
    'Run as another user, or: useradd --system postgres',
  );
}

/** The folder, or the nearest one above it, that not every user may enter. */
function closedFolder(folder: string): string | undefined {
  for (let path = folder; ; path = dirname(path)) {
    if ((statSync(path).mode & 0o001) === 0) return path;
    if (path === dirname(path)) return undefined;
  }
}
