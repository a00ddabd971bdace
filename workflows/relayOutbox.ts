import {
  CancellationScope,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  isCancellation,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { RelayStatus } from '../core/activityTypes.ts';
import { failureOf } from '../core/failures.ts';
import { type RelayState, RelaySupervisor } from '../core/relayState.ts';
import { runRelay } from './activities.ts';
import { publish } from './publish.ts';

export const pauseSignal = defineSignal('pause');
export const resumeSignal = defineSignal('resume');
export const statusQuery = defineQuery<RelayStatus>('status');

/**
 * Keeps the relay of one pipeline's outboxes going, for ever. Everything it decides is in core/relayState.ts.
 * @param carried given only by the run before this one, when the history has grown long.
 */
export async function relayOutbox(pipeline: string, carried?: RelayState): Promise<void> {
  const relay = new RelaySupervisor(pipeline, { now: Date.now(), carried });
  const take = (input: () => void) => {
    input();
    const { phase, reason } = relay.status;
    publish({ pipeline, stage: phase, details: `### Outboxes of ${pipeline}: ${phase}\n\n${reason}` });
  };
  setHandler(pauseSignal, () => take(() => relay.pause(Date.now())));
  setHandler(resumeSignal, () => take(() => relay.resume(Date.now())));
  setHandler(statusQuery, () => relay.status);
  take(() => undefined);

  while (!workflowInfo().continueAsNewSuggested) {
    const step = relay.step;
    if (step.do === 'relay') {
      const error = await runUntil(() => relay.step.do !== 'relay' || workflowInfo().continueAsNewSuggested, pipeline);
      take(() => (error === undefined ? relay.ended(Date.now()) : relay.failed(failureOf(error), Date.now())));
    } else {
      const changed = () => relay.step.do !== 'wait' || workflowInfo().continueAsNewSuggested;
      if (step.until === null) await condition(changed);
      else await condition(changed, Math.max(1, step.until - Date.now()));
      take(() => relay.timer(Date.now()));
    }
  }
  await continueAsNew<typeof relayOutbox>(pipeline, relay.state);
}

/** Relays until that is no longer wanted, and returns what it failed with, or undefined once it has ended as asked. */
async function runUntil(unwanted: () => boolean, pipeline: string): Promise<unknown> {
  const scope = new CancellationScope();
  let outcome: { error?: unknown } | undefined;
  const running = scope
    .run(() => runRelay(pipeline))
    .then(
      () => {
        outcome = {};
      },
      (error) => {
        outcome = { error };
      },
    );
  try {
    await condition(() => outcome !== undefined || unwanted());
  } finally {
    // Also when the workflow itself is cancelled, the end of the batch under way is awaited.
    const asked = outcome === undefined;
    if (asked) scope.cancel();
    await CancellationScope.nonCancellable(() => running);
    if (asked && isCancellation(outcome?.error)) outcome = {};
  }
  return outcome?.error;
}
