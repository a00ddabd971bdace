import { createHash, timingSafeEqual } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { raise } from './errors.ts';

/** One account of this server. The engine inside has a single user, so accounts, their limits and `readonly` live here. */
export interface User {
  name: string;
  password: string;
  /** 0: everything; 1: reading only, no settings; 2: reading only, settings may change. As in ClickHouse. */
  readonly?: 0 | 1 | 2;
  /** Settings of each of this user's statements, for example `max_memory_usage`. */
  settings?: Record<string, string | number>;
  /** What it may do and read, as the middle of a GRANT: `SELECT ON db.table`. Everything unless given; an empty list: nothing. */
  grants?: readonly string[];
}

/**
 * Reads the list of users from a JSON file that its owner alone can read.
 *
 * @throws Error when others can read the file, or it holds no list of users
 */
export async function loadUsers(path: string): Promise<User[]> {
  const { mode } = await stat(path);
  if (mode & 0o077) throw new Error(`${path} can be read by others. Run: chmod 600 ${path}`);
  const users: unknown = JSON.parse(await readFile(path, 'utf8'));
  if (!Array.isArray(users) || users.length === 0 || !users.every(isUser)) {
    throw new Error(
      `${path} must hold a JSON list of {"name", "password", "readonly"?: 0|1|2, "settings"?: {}, "grants"?: []}.`,
    );
  }
  return users;
}

function isUser(value: unknown): value is User {
  if (typeof value !== 'object' || value === null) return false;
  const { name, password, readonly, settings, grants } = value as Record<string, unknown>;
  const strings = Array.isArray(grants) && grants.every((grant) => typeof grant === 'string');
  return (
    typeof name === 'string' &&
    // A role of the engine bears the name.
    (grants === undefined || (strings && /^[A-Za-z_]\w*$/.test(name))) &&
    typeof password === 'string' &&
    (readonly === undefined || readonly === 0 || readonly === 1 || readonly === 2) &&
    (settings === undefined || (typeof settings === 'object' && settings !== null))
  );
}

/**
 * Finds the user with this name and password, in a time that tells nothing about either.
 *
 * @throws ClickHouseException 516
 */
export function authenticate(users: readonly User[], name: string, password: string): User {
  const user = users.find((candidate) => candidate.name === name);
  const same = timingSafeEqual(digest(password), digest(user?.password ?? ''));
  if (!user || !same) throw raise.authenticationFailed(name);
  return user;
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
