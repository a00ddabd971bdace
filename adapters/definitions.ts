import { createHash } from 'node:crypto';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { type Pipeline, parsePipeline } from '../core/definition.ts';
import { messageOf, TidegateError } from '../core/errors.ts';

/** A definition and where it was found. */
export interface FoundPipeline {
  pipeline: Pipeline;
  /** The definition's folder; the files of its views are relative to it. */
  folder: string;
  /** SHA-256 of the validated definition, recorded by every workflow that uses it. */
  hash: string;
}

/** The definitions that ship with Tidegate. */
export const SHIPPED_PIPELINES = fileURLToPath(new URL('../pipelines', import.meta.url));

/** All pipelines by name. */
export class Definitions {
  #found: ReadonlyMap<string, FoundPipeline>;
  readonly #load: () => Promise<ReadonlyMap<string, FoundPipeline>>;

  /** @param load finds them anew; default: they stay as they are. */
  constructor(found: ReadonlyMap<string, FoundPipeline>, load = async () => found) {
    this.#found = found;
    this.#load = load;
  }

  /** Takes over what has changed in the files. While they do not load or validate, what was found before stays. */
  async refresh(): Promise<void> {
    this.#found = await this.#load().catch(() => this.#found);
  }

  /** @throws TidegateError UNKNOWN_PIPELINE listing the pipelines there are. */
  get(name: string): FoundPipeline {
    const found = this.#found.get(name);
    if (found) return found;
    throw new TidegateError('UNKNOWN_PIPELINE', `there is no pipeline '${name}'`, {
      remedy: `There are: ${[...this.#found.keys()].join(', ') || 'none'}. TIDEGATE_PIPELINES adds folders of definitions.`,
    });
  }

  get names(): string[] {
    return [...this.#found.keys()];
  }
}

/**
 * Finds `<folder>/<any>/pipeline.ts` in the shipped folder and in each further one; a folder that holds a pipeline.ts
 * itself counts as well.
 * @throws TidegateError INVALID_DEFINITION for a file that does not load or validate, or a name used twice.
 */
export async function loadDefinitions(furtherFolders: readonly string[]): Promise<Definitions> {
  const load = () => findDefinitions(furtherFolders);
  return new Definitions(await load(), load);
}

async function findDefinitions(furtherFolders: readonly string[]): Promise<Map<string, FoundPipeline>> {
  const found = new Map<string, FoundPipeline>();
  for (const root of [SHIPPED_PIPELINES, ...furtherFolders]) {
    for (const folder of definitionFolders(root)) {
      const file = join(folder, 'pipeline.ts');
      const pipeline = parsePipeline(await importDefault(file), file);
      const other = found.get(pipeline.name);
      if (other) {
        throw new TidegateError('INVALID_DEFINITION', `${file} and ${other.folder} both define '${pipeline.name}'`, {
          remedy: 'Give one of them another name.',
        });
      }
      found.set(pipeline.name, { pipeline, folder, hash: hashOf(pipeline) });
    }
  }
  return found;
}

function definitionFolders(root: string): string[] {
  if (!existsSync(root)) {
    throw new TidegateError('INVALID_SETTING', `the folder ${root} of pipeline definitions does not exist`, {
      remedy: 'Correct TIDEGATE_PIPELINES.',
    });
  }
  const inside = readdirSync(root, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const folders = [root, ...inside.map((entry) => join(root, entry.name)).sort()];
  return folders.filter((folder) => existsSync(join(folder, 'pipeline.ts')));
}

async function importDefault(file: string): Promise<unknown> {
  try {
    // A module is loaded once for each address, so one that has changed needs another.
    const module: { default?: unknown } = await import(`${pathToFileURL(file).href}?${statSync(file).mtimeMs}`);
    return module.default;
  } catch (cause) {
    throw new TidegateError('INVALID_DEFINITION', `${file} does not load: ${messageOf(cause)}`, {
      remedy: 'Correct the file; it must export a definition by default.',
      cause,
    });
  }
}

function hashOf(pipeline: Pipeline): string {
  return createHash('sha256').update(JSON.stringify(pipeline)).digest('hex');
}
