import type { WorkflowInterceptorsFactory } from '@temporalio/workflow';

/**
 * The form of the Temporal Web UI starts a workflow with one JSON value. A list typed there is taken for the workflow's
 * arguments; no workflow here takes a list as an argument.
 */
export const interceptors: WorkflowInterceptorsFactory = () => ({
  inbound: [
    {
      execute(input, next) {
        const [only, ...others] = input.args;
        return next(Array.isArray(only) && others.length === 0 ? { ...input, args: only } : input);
      },
    },
  ],
});
