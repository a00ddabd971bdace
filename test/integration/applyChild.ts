import { applyPlan, planPipeline } from '../../activities/planPipeline.ts';
import type { PipelineInput } from '../../core/definition.ts';
import { depsFor } from './streamSupport.ts';

/** What the parent wants: an apply that ends by SIGKILL in the middle of a step, or after it. */
export interface ChildWork {
  input: PipelineInput;
  settings: Record<string, string>;
  kill: 'during the first step' | 'after the first step';
}

const { input, settings, kill } = JSON.parse(process.argv[2] as string) as ChildWork;
const deps = depsFor(input, settings);
const die = () => void process.kill(process.pid, 'SIGKILL');
const steps = await planPipeline(deps, deps.pipeline.name);
for (const step of steps) {
  const { apply } = step;
  if (apply && kill === 'during the first step') {
    // The statement has left by then, or is about to; whether it is carried out is open.
    step.apply = () => {
      const applied = apply();
      setTimeout(die, 1);
      return applied.then(() => new Promise(() => undefined));
    };
  }
}
await applyPlan(steps, { onDone: die });
await deps.clickhouse.close();
