import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FoundPipeline } from '../adapters/definitions.ts';
import { messageOf, TidegateError } from '../core/errors.ts';

/**
 * Reads the one SELECT of a definition's file, without a semicolon at its end.
 * @throws TidegateError INVALID_DEFINITION when the file cannot be read.
 */
export async function readSql({ pipeline, folder }: FoundPipeline, file: string): Promise<string> {
  try {
    return (await readFile(join(folder, file), 'utf8')).trim().replace(/;$/, '');
  } catch (cause) {
    const what = `pipeline '${pipeline.name}': cannot read ${file}: ${messageOf(cause)}`;
    throw new TidegateError('INVALID_DEFINITION', what, {
      remedy: "Correct the file's name; it is relative to the definition's folder.",
      cause,
    });
  }
}
