import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { WorkflowBundleOption } from '@temporalio/worker';
import type { Environment } from '../adapters/environment.ts';

const workflowsPath = fileURLToPath(new URL('../workflows/index.ts', import.meta.url));
const workflowInterceptorModules = [fileURLToPath(new URL('../workflows/typedArguments.ts', import.meta.url))];

/**
 * The code of all workflows in one file, as the worker runs it: built here in a second or two, or taken from the file
 * that TIDEGATE_WORKFLOW_BUNDLE names. It is built by a process of its own, whose 250 MB of memory are then free again.
 */
export async function workflowBundle(environment: Environment): Promise<WorkflowBundleOption> {
  const codePath = environment.optional('TIDEGATE_WORKFLOW_BUNDLE');
  if (codePath !== undefined) return { codePath };
  const folder = await mkdtemp(join(tmpdir(), 'tidegate-bundle-'));
  try {
    const file = join(folder, 'workflows.js');
    await promisify(execFile)(process.execPath, [fileURLToPath(import.meta.url), file]);
    return { code: await readFile(file, 'utf8') };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Builds the bundle into a file. @param interceptors files of further modules with interceptors of workflows. */
export async function writeBundle(file: string, interceptors: readonly string[] = []): Promise<void> {
  const { bundleWorkflowCode, DefaultLogger } = await import('@temporalio/worker');
  const { code } = await bundleWorkflowCode({
    workflowsPath,
    workflowInterceptorModules: [...workflowInterceptorModules, ...interceptors],
    logger: new DefaultLogger('WARN'),
  });
  await writeFile(file, withoutSources(code));
}

/** Every worker thread holds the code and its source map; where an error happened is told without the sources' texts. */
function withoutSources(code: string): string {
  const marker = /\n\/\/# sourceMappingURL=data:application\/json;(?:charset=utf-8;)?base64,([\w+/=]+)\s*$/.exec(code);
  if (!marker) return code;
  const { sourcesContent: _, ...map } = JSON.parse(Buffer.from(marker[1]!, 'base64').toString('utf8')) as object & {
    sourcesContent?: unknown;
  };
  return (
    code.slice(0, marker.index) + marker[0].replace(marker[1]!, Buffer.from(JSON.stringify(map)).toString('base64'))
  );
}

/** For images of workers that should not carry a bundler: `node workers/bundle.ts FILE`. */
if (import.meta.main) {
  const [file] = process.argv.slice(2);
  if (file === undefined) {
    console.error('bundle: no file was named. Write: node workers/bundle.ts FILE');
    process.exitCode = 1;
  } else {
    await writeBundle(file);
  }
}
