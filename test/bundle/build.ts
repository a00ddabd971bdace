import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';

/** The workflows' bundle as workers/bundle.ts builds it, except that killed workers are noticed sooner: `node build.ts FILE`. */
const fileOf = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

const { code } = await bundleWorkflowCode({
  workflowsPath: fileOf('../../workflows/index.ts'),
  workflowInterceptorModules: [fileOf('sooner.ts')],
  logger: new DefaultLogger('WARN'),
});
await writeFile(process.argv[2]!, code);
