import { NativeConnection, Worker } from '@temporalio/worker';
import { type EvolveStep, evolveTables } from '../../activities/evolveTables.ts';
import { createActivities } from '../../activities/index.ts';
import { type MergeStep, mergeDays } from '../../activities/mergeDays.ts';
import { mergeKeys } from '../../activities/mergeKeys.ts';
import { resyncTable } from '../../activities/resyncTable.ts';
import { runStream } from '../../activities/runStream.ts';
import { ClickHouse } from '../../adapters/clickhouse.ts';
import { loadDefinitions } from '../../adapters/definitions.ts';
import { loadEnvironment } from '../../adapters/environment.ts';
import { TASK_QUEUES } from '../../core/names.ts';
import { workflowBundle } from '../../workers/bundle.ts';
import type { DeathAt } from './workers.ts';

/** Workers that kill their process at a step of the stream: `node workerChild.ts 'before commit'`. */
const deathAt = process.argv[2] as DeathAt;
const die = () => process.kill(process.pid, 'SIGKILL');

const environment = loadEnvironment();
const definitions = await loadDefinitions(environment.pipelineFolders);
const deps = { environment, definitions, clickhouse: ClickHouse.from(environment) };
const connection = await NativeConnection.connect({ address: environment.required('TEMPORAL_ADDRESS') });
const bundle = await workflowBundle(environment);

const kept = new Set<string>();

/** `before keeping` dead letters; `after keeping` them is right before the commit that follows. */
async function beforeKeeping(topic: string): Promise<void> {
  if (deathAt === 'before keeping') die();
  kept.add(topic);
}

/** `during commit`: as soon as the request has been handed to the socket, so that the broker may or may not get it. */
async function beforeCommit(topic: string): Promise<void> {
  if (deathAt === 'before commit' || (deathAt === 'after keeping' && kept.has(topic))) die();
  if (deathAt === 'during commit') setImmediate(() => setImmediate(die));
}

/** Once the target has been altered, before that is recorded. */
async function onStep(step: EvolveStep): Promise<void> {
  if (deathAt === 'while evolving' && step === 'altered') die();
}

async function onMergeStep(step: MergeStep): Promise<void> {
  if (deathAt === `merge ${step}`) die();
}

const workers = await Promise.all(
  Object.values(TASK_QUEUES).map((taskQueue) =>
    Worker.create({
      ...{ connection, taskQueue, namespace: environment.required('TEMPORAL_NAMESPACE'), workflowBundle: bundle },
      activities: {
        ...createActivities(deps),
        ...runStream(deps, { beforeCommit, beforeKeeping }),
        ...evolveTables(deps, onStep),
        ...mergeDays(deps, onMergeStep),
        ...mergeKeys(deps, async (step) => {
          if (deathAt === `keys ${step}`) die();
        }),
        ...resyncTable(deps, async (step) => {
          if (deathAt === `resync: ${step}`) die();
        }),
      },
      maxHeartbeatThrottleInterval: '1 second',
    }),
  ),
);
console.log(`worker that dies ${deathAt} is ready`);
await Promise.all(workers.map((worker) => worker.run()));
