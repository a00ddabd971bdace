import { applyPlan, planPipeline } from '../../activities/planPipeline.ts';
import type { PipelineInput } from '../../core/definition.ts';
import { depsFor } from './streamSupport.ts';

/** What the parent wants: an apply that ends by SIGKILL in the middle of a step, or after it. */
export interface ChildWork {
  input: PipelineInput;
  settings: Record<string, string>;
  kill: 'during' | 'after';
  /** The how-manyth of the steps that are to be done; one that is not reached ends nothing. */
  step: number;
}

const { input, settings, kill, step: last } = JSON.parse(process.argv[2] as string) as ChildWork;
const deps = depsFor(input, settings);
const die = () => void process.kill(process.pid, 'SIGKILL');
const steps = await planPipeline(deps, deps.pipeline.name);
let done = 0;
for (const step of steps) {
  const { apply } = step;
  if (!apply) continue;
  step.apply = async () => {
    done += 1;
    const applied = apply();
    if (done < last || kill === 'after') return await applied;
    // The statement has left by then, or is about to; whether it is carried out is open.
    setTimeout(die, 1);
    await applied;
    await new Promise(() => undefined);
  };
}
await applyPlan(steps, { onDone: () => done >= last && die() });
await deps.clickhouse.close();
