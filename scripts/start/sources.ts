import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Definitions, FoundPipeline } from '../../adapters/definitions.ts';
import { TidegateError } from '../../core/errors.ts';
import type { SourceGenerator } from '../../pipelines/generator.ts';

/** A pipeline that can make its own source. */
export interface GeneratedPipeline extends FoundPipeline {
  generator: SourceGenerator;
}

/** Generated data is the same on every machine. */
export const SEED = 20_240_117;

/** Where the generated data of a pipeline are kept. */
export function generatedFolder(home: string, pipeline: string): string {
  return join(home, 'generated', pipeline);
}

const generatorFile = (found: FoundPipeline) => join(found.folder, 'generator.ts');

/**
 * The pipelines to start: those asked for, or all that come with a generator.
 * @throws TidegateError UNKNOWN_PIPELINE, or INVALID_SETTING for one that has no generator.
 */
export async function chooseSources(definitions: Definitions, only: readonly string[]): Promise<GeneratedPipeline[]> {
  const asked =
    only.length > 0 ? only : definitions.names.filter((name) => existsSync(generatorFile(definitions.get(name))));
  return await Promise.all(
    asked.map(async (name) => {
      const found = definitions.get(name);
      if (!existsSync(generatorFile(found))) {
        throw new TidegateError(
          'INVALID_SETTING',
          `pipeline '${name}' has no generator.ts, so npm start cannot fill its source`,
          {
            remedy: `Set its source's URL and run: npx tidegate apply ${name}`,
          },
        );
      }
      const module: { generator: SourceGenerator } = await import(pathToFileURL(generatorFile(found)).href);
      return { ...found, generator: module.generator };
    }),
  );
}
