import { stagingName } from './names.ts';

/**
 * Tables that exist only while an attempt to copy runs carry the attempt's token (12 hexadecimal digits) in their names:
 * an attempt that was believed dead and still writes can then reach only its own tables, never those of its successor.
 */
export function attemptName(target: string, token: string): string {
  return `${stagingName(target)}_${token}`;
}

/** Which of the names an attempt for this target has left: its staging table, its landing table, the view between them. */
export function leftoversOf(target: string, names: readonly string[]): string[] {
  const prefix = `${stagingName(target)}_`;
  const found = names.filter(
    (name) => name.startsWith(prefix) && /^[0-9a-f]{12}(_copy(_mv)?)?$/.test(name.slice(prefix.length)),
  );
  // The view first, then what it reads and writes.
  return found.sort((a, b) => b.length - a.length);
}
