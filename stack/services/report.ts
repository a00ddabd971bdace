import { fileURLToPath } from 'node:url';
import type { Service } from '../service.ts';
import { answers } from './login.ts';

const main = fileURLToPath(new URL('../../server/main.ts', import.meta.url));

/**
 * The report service of a pipeline.
 * @param env what it needs besides the environment of this process: REPORT_PORT, where it listens, among them.
 */
export function report(pipeline: string, env: Readonly<Record<string, string>>): Service {
  return {
    name: 'report',
    // Longer than an answer may take.
    ending: [{ signal: 'SIGTERM', graceMs: 65_000 }],
    missingTools: async () => [],
    prepare: async () => ({ file: process.execPath, args: [main, pipeline], env }),
    check: () => answers(`http://127.0.0.1:${env['REPORT_PORT']}/health`),
    env: () => ({}),
  };
}
