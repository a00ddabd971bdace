import { fileURLToPath } from 'node:url';
import { writeBundle } from '../../workers/bundle.ts';

/** The workflows' bundle as workers/bundle.ts builds it, except that killed workers are noticed sooner: `node build.ts FILE`. */
await writeBundle(process.argv[2]!, [fileURLToPath(new URL('sooner.ts', import.meta.url))]);
