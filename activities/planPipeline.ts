import { openKafka } from '../adapters/kafka.ts';
import { ensureTopics, partitionCounts } from '../adapters/kafkaTopics.ts';
import { type Pipeline, streamTables } from '../core/definition.ts';
import { TidegateError } from '../core/errors.ts';
import { streamLanes } from '../core/lanes.ts';
import { topicOf, workflowIds } from '../core/names.ts';
import { blockedItems, type PlannedStep } from '../core/plan.ts';
import type { ActivityDeps } from './deps.ts';
import { planClickHouse } from './plan/clickhouse.ts';
import { planKafkaEngine } from './plan/kafkaEngine.ts';
import { planOutbox } from './plan/outbox.ts';
import { planSource } from './plan/source.ts';
import { schemaReport } from './schemaRecord.ts';

/** Everything that the pipeline needs and how it stands now, in the order of creation. Changes nothing. */
export async function planPipeline(deps: ActivityDeps, name: string): Promise<PlannedStep[]> {
  const found = deps.definitions.get(name);
  const { pipeline } = found;
  const source = await planSource(deps, pipeline, await asideReasons(deps, pipeline));
  const steps = [...source.steps];
  const streams = streamLanes(pipeline).length > 0;
  if (streams) steps.push(...(await planTopics(deps, pipeline)));
  steps.push(...(await planClickHouse(deps.clickhouse, found, source)));
  steps.push(...(await planKafkaEngine(deps, found)));
  if (streamTables(pipeline).length > 0) {
    steps.push({
      system: 'connect',
      object: `connector ${pipeline.stream.connector}`,
      action: 'later',
      detail: 'kept by the supervisor',
    });
  }
  for (const outbox of pipeline.outboxes) steps.push(...(await planOutbox(deps.environment, { pipeline, outbox })));
  const workflows = [
    ...(streams ? [workflowIds.supervisor(name)] : []),
    ...(pipeline.outboxes.length > 0 ? [workflowIds.relay(name)] : []),
  ];
  for (const id of workflows) {
    steps.push({ system: 'temporal', object: `workflow ${id}`, action: 'later', detail: 'started by apply' });
  }
  return steps;
}

/**
 * Carries a plan out, item by item, and stops at the first that fails; done again, it goes on from there.
 * @param options.prune also drops what is left over; otherwise that stays.
 * @throws TidegateError SOURCE_NOT_READY when an item is blocked; then nothing has been changed.
 */
export async function applyPlan(
  steps: readonly PlannedStep[],
  { onDone = () => {}, prune = false }: { onDone?: (step: PlannedStep) => void; prune?: boolean } = {},
): Promise<void> {
  const [blocked] = blockedItems(steps);
  if (blocked) {
    throw new TidegateError('SOURCE_NOT_READY', `${blocked.object} is not ready`, { remedy: blocked.detail });
  }
  for (const step of steps) {
    if (!step.apply || (step.action === 'drop' && !prune)) continue;
    await step.apply();
    onDone(step);
  }
}

/** What keeps one table from being streamed does not hold up the others. */
async function asideReasons(deps: ActivityDeps, pipeline: Pipeline): Promise<Map<string, string>> {
  const { aside } = await schemaReport(deps.clickhouse, pipeline);
  return new Map(aside.map(({ table, reason }) => [table, reason]));
}

async function planTopics(deps: ActivityDeps, pipeline: Pipeline): Promise<PlannedStep[]> {
  const kafka = openKafka(deps.environment);
  const { stream, events } = pipeline;
  const tables = streamTables(pipeline).map((table) => topicOf(pipeline, table));
  const wanted = [
    ...tables.map((topic) => ({ topic, ...stream })),
    ...events.map((event) => ({ ...stream, ...event })),
  ];
  const existing = await partitionCounts(
    kafka,
    wanted.map(({ topic }) => topic),
  );
  const counted = (count: number) => `${count} ${count === 1 ? 'partition' : 'partitions'}`;
  return wanted.map(({ topic, partitions, replicationFactor }): PlannedStep => {
    const object = `topic ${topic}`;
    const count = existing.get(topic);
    const apply = () => ensureTopics(kafka, [topic], { partitions, replicationFactor });
    if (count === undefined) return { system: 'kafka', object, action: 'create', detail: counted(partitions), apply };
    // Whoever writes events may count on their order by key, which more partitions would break.
    if (count >= partitions || !tables.includes(topic)) {
      return { system: 'kafka', object, action: 'none', detail: 'exists' };
    }
    return { system: 'kafka', object, action: 'change', detail: `${count} to ${counted(partitions)}`, apply };
  });
}
