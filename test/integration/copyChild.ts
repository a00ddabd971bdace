import { MockActivityEnvironment } from '@temporalio/testing';
import { copyReference } from '../../activities/copyReference.ts';
import { copySnapshot } from '../../activities/copySnapshot.ts';
import type { PipelineInput } from '../../core/definition.ts';
import { depsFor } from './streamSupport.ts';

/** What the parent wants: an activity that ends by SIGKILL when it has reached a step. */
export interface ChildWork {
  input: PipelineInput;
  settings: Record<string, string>;
  /** A reference table; null: the snapshot of all stream tables. */
  table: string | null;
  killAt: string;
}

const { input, settings, table, killAt } = JSON.parse(process.argv[2] as string) as ChildWork;
const deps = depsFor(input, settings);
const onStep = async (step: string) => {
  if (step === killAt) process.kill(process.pid, 'SIGKILL');
};
const environment = new MockActivityEnvironment();
if (table === null) await environment.run(copySnapshot(deps, onStep).copySnapshot, deps.pipeline.name);
else await environment.run(copyReference(deps, onStep).copyReference, deps.pipeline.name, table);
throw new Error(`the step '${killAt}' was never reached`);
