import type { WorkflowInterceptors } from '@temporalio/workflow';

/**
 * What a killed worker ran goes on at another after the heartbeat timeout: 20 or 30 seconds, of which the tests that kill
 * workers would mostly consist. Beats come every second.
 */
const TIMEOUT_MS = 8000;

export const interceptors = (): WorkflowInterceptors => ({
  outbound: [
    {
      scheduleActivity(input, next) {
        const { heartbeatTimeout, startToCloseTimeout } = input.options;
        // One that may be silent for as long as it runs, like planMerge, sends no heartbeats.
        if (heartbeatTimeout === undefined || heartbeatTimeout === startToCloseTimeout) return next(input);
        return next({ ...input, options: { ...input.options, heartbeatTimeout: TIMEOUT_MS } });
      },
    },
  ],
});
