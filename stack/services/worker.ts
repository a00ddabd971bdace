import { fileURLToPath } from 'node:url';
import type { Service } from '../service.ts';

const main = fileURLToPath(new URL('../../workers/main.ts', import.meta.url));

/**
 * Tidegate's own workers, as one more process that is watched and started again when it dies.
 * @param env what they need besides the environment of this process: addresses and credentials of the stack.
 * @param taskQueues those that must be polled before the workers count as ready.
 */
export function worker(env: Readonly<Record<string, string>>, taskQueues: readonly string[]): Service {
  return {
    name: 'worker',
    // Longer than the workers' own grace, in which a batch under way lands and its offsets are committed.
    ending: [{ signal: 'SIGTERM', graceMs: 20_000 }],
    missingTools: async () => [],
    prepare: async () => ({ file: process.execPath, args: [main], env }),
    async check() {
      const { Connection } = await import('@temporalio/client');
      const connection = await Connection.connect({ address: env['TEMPORAL_ADDRESS'] ?? '', connectTimeout: 2000 });
      try {
        for (const name of taskQueues) {
          const { pollers } = await connection.workflowService.describeTaskQueue({
            namespace: env['TEMPORAL_NAMESPACE'] ?? 'default',
            taskQueue: { name },
            taskQueueType: 1,
          });
          if (!pollers?.length) throw new Error(`nobody polls the task queue ${name}`);
        }
      } finally {
        await connection.close();
      }
    },
    env: () => ({}),
  };
}
