import { stagingName } from './names.ts';

/** A token that no other attempt has. */
export function newToken(): string {
  return crypto.randomUUID().replaceAll('-', '').slice(0, 12);
}

/**
 * Tables that exist only while an attempt to copy runs carry the attempt's token (12 hexadecimal digits) in their names:
 * an attempt that was believed dead and still writes can then reach only its own tables, never those of its successor.
 */
export function attemptName(target: string, token: string): string {
  return `${stagingName(target)}_${token}`;
}

/** The view by which what lands for a table is written into an attempt's own table as well. */
export function secondViewName(into: string): string {
  return `${into}_mv`;
}

/** The table that takes what lands while an attempt's staging table takes the target's place. */
export function lateName(staging: string): string {
  return `${staging}_late`;
}

/**
 * Which of the names belong to attempts for this target: a staging table, a landing table, what is late, their views.
 * @param token of one attempt; without it, those of all attempts.
 */
export function leftoversOf(target: string, { names, token }: { names: readonly string[]; token?: string }): string[] {
  const prefix = `${stagingName(target)}_`;
  const rest = new RegExp(`^${token ?? '[0-9a-f]{12}'}(_copy|_late)?(_mv)?$`);
  const found = names.filter((name) => name.startsWith(prefix) && rest.test(name.slice(prefix.length)));
  // The view first, then what it reads and writes.
  return found.sort((a, b) => b.length - a.length);
}
