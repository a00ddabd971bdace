import type { Command } from 'commander';
import type { ActivityDeps } from '../../activities/deps.ts';
import type { Reconfigured } from '../../core/activityTypes.ts';
import { TidegateError } from '../../core/errors.ts';
import { streamLanes } from '../../core/lanes.ts';
import { blockedItems, type PlanAction, type PlannedStep, summarizePlan } from '../../core/plan.ts';
import type { CommandContext } from '../context.ts';
import { WIDTH, wrap } from '../output.ts';
import { orItsReason } from './triggerFollow.ts';

export function registerPlan(program: Command, context: CommandContext): void {
  program
    .command('plan')
    .argument('[pipeline]')
    .description('show what apply would create (+) or change (~), and what is left over (-); changes nothing')
    .option('--json', 'print one JSON object')
    .action(async (name: string | undefined, { json }: { json?: true }) => {
      const plans = await readPlans(context, name);
      if (json) {
        const pipelines = plans.map(({ pipeline, steps }) => ({
          pipeline,
          items: steps.map(({ apply, ...item }) => item),
        }));
        console.log(JSON.stringify({ pipelines }, null, 2));
      } else {
        for (const { pipeline, steps } of plans) for (const line of planLines(pipeline, steps)) console.log(line);
      }
      if (plans.some(({ steps }) => blockedItems(steps).length > 0)) process.exitCode = 1;
    });
}

export function registerApply(program: Command, context: CommandContext): void {
  program
    .command('apply')
    .argument('[pipeline]')
    .description('create what is missing, and start the workflows that keep the streams going')
    .option('--prune', 'also drop what is left over: the lines of plan that begin with -')
    .action(async (name: string | undefined, { prune = false }: { prune?: boolean }) => {
      const { applyPlan } = await import('../../activities/planPipeline.ts');
      for (const { pipeline, steps } of await readPlans(context, name)) {
        for (const { object, detail } of steps.filter(({ action }) => action === 'warn')) {
          console.log(`${pipeline}: ${SIGNS.warn} ${object}: ${detail}`);
        }
        const onDone = ({ action, object }: PlannedStep) => console.log(`${pipeline}: ${DONE[action]} ${object}`);
        await applyPlan(steps, { onDone, prune });
        const definition = (await context.definitions()).get(pipeline).pipeline;
        if (streamLanes(definition).length > 0) {
          const workflowId = await (await context.temporal()).startSupervisor(pipeline);
          console.log(`${pipeline}: workflow ${workflowId} runs`);
          await takeOver(context, pipeline);
        }
        if (definition.outboxes.length > 0) {
          const workflowId = await (await context.temporal()).startRelay(pipeline);
          console.log(`${pipeline}: workflow ${workflowId} runs`);
        }
        console.log(`${pipeline}: ${summarizePlan(steps)}`);
      }
    });
}

/** Has a stream that runs already go on by the definition as it is now. Without a worker, the next one to start does so. */
async function takeOver(context: CommandContext, pipeline: string): Promise<void> {
  const temporal = await context.temporal();
  if (!(await temporal.hasWorkers('stream'))) return;
  const asked = temporal.updateStream<Reconfigured>(pipeline, 'reconfigure');
  const { definitionHash, streamed } = await orItsReason(asked);
  const { hash } = (await context.definitions()).get(pipeline);
  if (definitionHash !== null && definitionHash !== hash) {
    throw new TidegateError('INVALID_DEFINITION', `the workers have another definition of '${pipeline}'`, {
      remedy: `Give them the same files (TIDEGATE_PIPELINES), then apply again. They stream: ${streamed.join(', ')}.`,
    });
  }
}

async function readPlans(
  context: CommandContext,
  name: string | undefined,
): Promise<{ pipeline: string; steps: PlannedStep[] }[]> {
  const { planPipeline } = await import('../../activities/planPipeline.ts');
  const { planLeftovers } = await import('../../activities/plan/leftovers.ts');
  const { environment, clickhouse } = context;
  const deps: ActivityDeps = { environment, clickhouse, definitions: await context.definitions() };
  const plans: { pipeline: string; steps: PlannedStep[] }[] = [];
  for (const { name: pipeline } of await context.pipelines(name)) {
    const steps = [...(await planPipeline(deps, pipeline)), ...(await planLeftovers(deps, pipeline))];
    plans.push({ pipeline, steps });
  }
  return plans;
}

const SIGNS = { create: '+', change: '~', drop: '-', none: ' ', later: '>', warn: '?', blocked: '!' } as const;

const DONE: Partial<Record<PlanAction, string>> = { create: 'created', change: 'changed', drop: 'dropped' };

/** A plan as text: a sign, the system and the object; what is blocked says what a person has to do. */
export function planLines(pipeline: string, steps: readonly PlannedStep[]): string[] {
  return [
    `${pipeline}: ${summarizePlan(steps)}`,
    ...steps.flatMap(({ action, system, object, detail }) => {
      const line = `  ${SIGNS[action]} ${system.padEnd(10)} ${object}`;
      const whole = detail === '' ? line : `${line}: ${detail}`;
      // SQL that is to be copied is never broken or cut; all else fits the screen.
      return action === 'blocked' || action === 'warn'
        ? [whole]
        : action === 'none' && whole.length > WIDTH
          ? [line]
          : wrap(whole, '      ');
    }),
  ];
}
