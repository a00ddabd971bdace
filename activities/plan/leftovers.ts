import type { ClickHouse } from '../../adapters/clickhouse.ts';
import { Connect } from '../../adapters/connect.ts';
import type { Environment } from '../../adapters/environment.ts';
import { deleteTopics, groupTopics, openKafka } from '../../adapters/kafka.ts';
import { connectPostgres } from '../../adapters/postgres.ts';
import { dropSlot, readSlot } from '../../adapters/replication.ts';
import { Temporal } from '../../adapters/temporal.ts';
import { deleteSchedule, readSchedules } from '../../adapters/temporalSchedules.ts';
import { type Pipeline, streamTables } from '../../core/definition.ts';
import { TidegateError } from '../../core/errors.ts';
import { chTable } from '../../core/identifiers.ts';
import { streamLanes } from '../../core/lanes.ts';
import {
  kafkaTableName,
  kafkaViewName,
  landingName,
  landingViewName,
  SNAPSHOTS_TABLE,
  topicOf,
  truncationsName,
  truncationsViewName,
} from '../../core/names.ts';
import type { PlannedStep } from '../../core/plan.ts';
import { diffSchedules, wantedSchedules } from '../../core/schedules.ts';
import { MEANT } from '../copyTarget.ts';
import type { ActivityDeps } from '../deps.ts';
import { findEngine, ingestOf, stopEngine } from '../kafkaEngine.ts';

/**
 * What a pipeline has made and its definition names no more, in the order in which it is to be dropped. Only what bears a
 * trace of having been made by it: a connector on its slots, slots in its record of snapshots, topics that its consumer
 * group has read, tables with a landing table and views with Tidegate's comment. Nothing is dropped unless asked.
 */
export async function planLeftovers(deps: ActivityDeps, name: string): Promise<PlannedStep[]> {
  const { pipeline } = deps.definitions.get(name);
  const all = deps.definitions.names.map((each) => deps.definitions.get(each).pipeline);
  const { environment, clickhouse } = deps;
  const about: About = { pipeline, all, slots: await recordedSlots(clickhouse, pipeline) };
  const recorded = about.slots.length > 0;
  return [
    ...(recorded ? await orNotLookedFor('connect', () => connectors(environment, about)) : []),
    ...(recorded ? await slots(environment, about) : []),
    ...(await topics(environment, about)),
    ...(await tables(clickhouse, about)),
    ...(await engineObjects(deps, pipeline)),
    ...(await orNotLookedFor('temporal', () => schedules(environment, about))),
  ];
}

/** A plan is told also while these are away or not named: nothing of them is made by apply itself. */
async function orNotLookedFor(
  system: 'connect' | 'temporal',
  look: () => Promise<PlannedStep[]>,
): Promise<PlannedStep[]> {
  try {
    return await look();
  } catch (error) {
    const isAway = error instanceof TidegateError && ['SERVICE_UNREACHABLE', 'INVALID_SETTING'].includes(error.code);
    if (!isAway) throw error;
    return [{ system, object: 'what is left over', action: 'warn', detail: `not looked for: ${error.line}` }];
  }
}

interface About {
  pipeline: Pipeline;
  /** All pipelines that are defined: what one of them names is no leftover of another. */
  all: readonly Pipeline[];
  /** Slots that the pipeline's snapshots had. */
  slots: readonly string[];
}

/** A step that drops a leftover, when that is asked for. */
export function dropStep(
  system: PlannedStep['system'],
  object: string,
  { detail, apply }: { detail: string; apply: () => Promise<void> },
): PlannedStep {
  return { system, object, action: 'drop', detail, apply };
}

async function recordedSlots(clickhouse: ClickHouse, { database }: Pipeline): Promise<string[]> {
  const log = { database, name: SNAPSHOTS_TABLE };
  if (!(await clickhouse.hasTable(log))) return [];
  const recorded = await clickhouse.rows<{ slot: string }>(`SELECT DISTINCT slot FROM ${chTable(log)}`);
  return recorded.map(({ slot }) => slot);
}

async function connectors(environment: Environment, { pipeline, all, slots: recorded }: About): Promise<PlannedStep[]> {
  const connect = Connect.from(environment);
  const named = new Set(all.map(({ stream }) => stream.connector));
  const ours = new Set([...recorded, pipeline.stream.slot]);
  const database = decodeURIComponent(environment.url(pipeline.source.captureUrl).pathname.slice(1));
  const steps: PlannedStep[] = [];
  for (const connector of (await connect.names()).filter((each) => !named.has(each))) {
    const config = await connect.config(connector);
    const slot = config?.['slot.name'];
    if (slot === undefined || !ours.has(slot) || config?.['database.dbname'] !== database) continue;
    const detail = `reads slot ${slot}, and no definition names it`;
    steps.push(dropStep('connect', `connector ${connector}`, { detail, apply: () => connect.delete(connector) }));
  }
  return steps;
}

async function slots(environment: Environment, { pipeline, all, slots: recorded }: About): Promise<PlannedStep[]> {
  const named = new Set(all.map(({ stream }) => stream.slot));
  const url = environment.url(pipeline.source.captureUrl);
  const open = () => connectPostgres(url, { applicationName: 'tidegate plan' });
  const session = await open();
  try {
    const steps: PlannedStep[] = [];
    for (const slot of recorded.filter((each) => !named.has(each))) {
      if (!(await readSlot(session, slot))) continue;
      const detail = 'holds WAL at the source, and no definition names it';
      const apply = async () => {
        const dropping = await open();
        await dropSlot(dropping, slot).finally(() => dropping.end());
      };
      steps.push(dropStep('postgres', `slot ${slot}`, { detail, apply }));
    }
    return steps;
  } finally {
    await session.end();
  }
}

async function topics(environment: Environment, { pipeline, all }: About): Promise<PlannedStep[]> {
  const kafka = openKafka(environment);
  const named = new Set(
    all.flatMap((each) => [
      ...streamTables(each).map((table) => topicOf(each, table)),
      ...each.events.map(({ topic }) => topic),
    ]),
  );
  const read = await groupTopics(kafka, pipeline.stream.consumerGroup);
  return read
    .filter((topic) => !named.has(topic))
    .map((topic) => {
      const detail = `was read by ${pipeline.stream.consumerGroup}, and no definition names it`;
      return dropStep('kafka', `topic ${topic}`, { detail, apply: () => deleteTopics(kafka, [topic]) });
    });
}

/** A table that messages land in has its landing table beside it; a view has a comment that Tidegate has written. */
async function tables(clickhouse: ClickHouse, { pipeline, all }: About): Promise<PlannedStep[]> {
  const { database } = pipeline;
  const found = await clickhouse.tables(database);
  const names = new Set(found.map(({ name }) => name));
  const here = all.filter((each) => each.database === database);
  const targets = new Set(here.flatMap((each) => streamLanes(each).map(({ target }) => target)));
  const views = new Set(
    here.flatMap((each) => [
      ...streamLanes(each).flatMap(({ target, currentView }) => [currentView, landingViewName(target)]),
      ...each.views.map(({ name }) => name),
    ]),
  );
  const drop = (kind: 'table' | 'view', name: string, objects: readonly string[]) => {
    const more = objects.filter((each) => each !== name);
    const detail = ['no definition names it', ...(more.length > 0 ? [`with ${more.join(', ')}`] : [])].join(', ');
    const apply = async () => {
      for (const each of objects) {
        await clickhouse.command(`DROP TABLE IF EXISTS ${chTable({ database, name: each })} SYNC`, { settings: MEANT });
      }
    };
    return dropStep('clickhouse', `${kind} ${database}.${name}`, { detail, apply });
  };
  const gone = found
    .map(({ name }) => name)
    .filter((name) => !targets.has(name) && names.has(landingName(name)) && names.has(landingViewName(name)));
  const besides = (target: string) =>
    [landingViewName(target), truncationsViewName(target), landingName(target), truncationsName(target)].filter(
      (name) => names.has(name),
    );
  const goneViews = found.filter(
    ({ name, engine, comment }) => engine === 'View' && /^tidegate [0-9a-f]{16}$/.test(comment) && !views.has(name),
  );
  return [
    ...goneViews.map(({ name }) => drop('view', name, [name])),
    ...gone.map((target) => drop('table', target, [...besides(target), target])),
  ];
}

/** ClickHouse still reads Kafka, though the stream activity is to: until that runs, or because nothing runs any more. */
async function engineObjects(deps: ActivityDeps, pipeline: Pipeline): Promise<PlannedStep[]> {
  const engine = await findEngine(deps.clickhouse, pipeline);
  const wanted = ingestOf(deps.environment, pipeline) === 'kafka-engine' ? streamTables(pipeline) : [];
  const named = new Set(wanted.flatMap((table) => [kafkaTableName(table), kafkaViewName(table)]));
  const gone = engine?.names.filter((name) => !named.has(name)) ?? [];
  if (gone.length === 0) return [];
  const detail = `ClickHouse reads Kafka by them, and no definition wants it: ${gone.join(', ')}`;
  const object = `Kafka engine of ${pipeline.database}`;
  return [dropStep('clickhouse', object, { detail, apply: () => stopEngine(deps, pipeline) })];
}

async function schedules(environment: Environment, { pipeline, all }: About): Promise<PlannedStep[]> {
  const temporal = await Temporal.connect(environment);
  try {
    const wanted = wantedSchedules(all);
    const { orphans } = diffSchedules(wanted, await readSchedules(temporal.client, wanted));
    return orphans
      .filter((orphan) => orphan.pipeline === pipeline.name)
      .map(({ id }) => {
        const apply = async () => {
          const deleting = await Temporal.connect(environment);
          await deleteSchedule(deleting.client, id).finally(() => deleting.close());
        };
        return dropStep('temporal', `schedule ${id}`, { detail: 'no definition wants it', apply });
      });
  } finally {
    await temporal.close();
  }
}
