import type { ActivityOptions, WorkflowInterceptors } from '@temporalio/workflow';

/**
 * What a killed worker ran goes on at another after the heartbeat timeout, 20 or 30 seconds, and after a pause that grows to
 * a minute; the tests that kill workers would mostly consist of that. Beats come every second.
 */
const TIMEOUT_MS = 8000;
const LONGEST_PAUSE_MS = 2000;

export const interceptors = (): WorkflowInterceptors => ({
  outbound: [{ scheduleActivity: (input, next) => next({ ...input, options: sooner(input.options) }) }],
});

function sooner(options: ActivityOptions): ActivityOptions {
  const { heartbeatTimeout, startToCloseTimeout, retry } = options;
  // One that may be silent for as long as it runs, like planMerge, sends no heartbeats.
  const beats = heartbeatTimeout !== undefined && heartbeatTimeout !== startToCloseTimeout;
  return {
    ...options,
    ...(beats && { heartbeatTimeout: TIMEOUT_MS }),
    ...(retry && { retry: { ...retry, maximumInterval: LONGEST_PAUSE_MS } }),
  };
}
