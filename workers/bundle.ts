import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger, type WorkflowBundleOption } from '@temporalio/worker';
import type { Environment } from '../adapters/environment.ts';

const workflowsPath = fileURLToPath(new URL('../workflows/index.ts', import.meta.url));

/**
 * The code of all workflows in one file, as the worker runs it: built here in a second or two, or taken from the file
 * that TIDEGATE_WORKFLOW_BUNDLE names.
 */
export async function workflowBundle(environment: Environment): Promise<WorkflowBundleOption> {
  const codePath = environment.optional('TIDEGATE_WORKFLOW_BUNDLE');
  if (codePath !== undefined) return { codePath };
  return await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('WARN') });
}

/** Builds the bundle into a file, for images of workers that should not carry a bundler: `node workers/bundle.ts FILE`. */
if (import.meta.main) {
  const [file] = process.argv.slice(2);
  if (file === undefined) {
    console.error('bundle: no file was named. Write: node workers/bundle.ts FILE');
    process.exitCode = 1;
  } else {
    const { code } = await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('WARN') });
    await writeFile(file, code);
  }
}
