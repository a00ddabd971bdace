import { Worker } from '@temporalio/worker';

/**
 * A class of workers that all run their workflows in one thread, which ends with the last of them. Else each would have
 * a thread of its own, 40 MB with the same code in it, though a workflow computes for milliseconds only.
 * Its workers must be made for the same workflows and activities.
 */
export function workersOnOneThread(): typeof Worker {
  return class OneThreadWorker extends Worker {
    static #thread: ReturnType<typeof Worker.createWorkflowCreator> | undefined;
    static #users = 0;

    protected static override async createWorkflowCreator(
      ...options: Parameters<typeof Worker.createWorkflowCreator>
    ): ReturnType<typeof Worker.createWorkflowCreator> {
      OneThreadWorker.#users += 1;
      OneThreadWorker.#thread ??= Worker.createWorkflowCreator(...options);
      const thread = await OneThreadWorker.#thread;
      return {
        createWorkflow: (workflow) => thread.createWorkflow(workflow),
        destroy: async () => {
          OneThreadWorker.#users -= 1;
          if (OneThreadWorker.#users === 0) await thread.destroy();
        },
      };
    }
  };
}
