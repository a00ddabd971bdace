import { readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

/** The files of the project and the packages that a file needs, by its imports and by theirs. Types are not needed. */
export function importsOf(entry: string): { files: Set<string>; packages: Set<string> } {
  const files = new Set<string>();
  const packages = new Set<string>();
  const visit = (file: string): void => {
    if (files.has(file)) return;
    files.add(file);
    for (const [, name] of readFileSync(file, 'utf8').matchAll(/^(?:import|export) (?!type )[^;]*?'([^']+)';/gms)) {
      if (name!.startsWith('.')) visit(relative('.', join(dirname(file), name!)));
      else packages.add(name!);
    }
  };
  visit(entry);
  return { files, packages };
}
