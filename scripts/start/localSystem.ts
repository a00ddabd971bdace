import { applyPlan, planPipeline } from '../../activities/planPipeline.ts';
import { ClickHouse } from '../../adapters/clickhouse.ts';
import { type Definitions, loadDefinitions } from '../../adapters/definitions.ts';
import { type Environment, loadEnvironment } from '../../adapters/environment.ts';
import { connectPostgres } from '../../adapters/postgres.ts';
import { Temporal } from '../../adapters/temporal.ts';
import { referenceTables } from '../../core/definition.ts';
import { streamLanes } from '../../core/lanes.ts';
import { TASK_QUEUES } from '../../core/names.ts';
import { summarizePlan } from '../../core/plan.ts';
import { wantedSchedules } from '../../core/schedules.ts';
import type { CreatedSource, OpenSession } from '../../pipelines/generator.ts';
import { reportGrants } from '../../server/findReport.ts';
import { worker } from '../../stack/services/worker.ts';
import { type RunningStack, startStack } from '../../stack/stack.ts';
import { reconcileSchedules } from '../commands/schedule.ts';
import { sendEvents } from './events.ts';
import type { StartOptions } from './options.ts';
import { chooseReport, startReport } from './reports.ts';
import { chooseSources, type GeneratedPipeline, generatedFolder, SEED } from './sources.ts';

/** Everything that `npm start` brings up, ready to be watched. */
export interface LocalSystem {
  stack: RunningStack;
  environment: Environment;
  definitions: Definitions;
  temporal: Temporal;
  clickhouse: ClickHouse;
  pipelines: GeneratedPipeline[];
  open: OpenSession;
  /** Where a person looks next, one line each. */
  places: readonly string[];
}

interface BringUp {
  options: StartOptions;
  say: (line: string) => void;
  signal: AbortSignal;
}

/** Starts the stack, fills the sources, starts workers and all workflows. What was started is stopped when it fails. */
export async function bringUp({ options, say, signal }: BringUp): Promise<LocalSystem> {
  const own = loadEnvironment();
  const definitions = await loadDefinitions(own.pipelineFolders);
  // An unknown name is said before anything is started.
  const pipelines = await chooseSources(definitions, options.only);
  const report = options.once ? undefined : await chooseReport(definitions, pipelines);
  const stack = await startStack({
    home: own.home,
    ports: options.ports,
    fresh: options.fresh,
    reportGrants: report ? reportGrants(report) : [],
    onProgress: say,
    signal,
  });
  try {
    const open: OpenSession = (url) => connectPostgres(url, { applicationName: 'tidegate start' });
    const sources = new Map<string, CreatedSource>();
    for (const found of pipelines) {
      const source = await fillSource({ found, stack, options, open, say, signal });
      sources.set(found.pipeline.name, source);
      stack.publish(source.env);
    }
    const environment = own.with(stack.env);
    await stack.run(worker(stack.env, Object.values(TASK_QUEUES)));
    const temporal = await Temporal.connect(environment);
    const clickhouse = ClickHouse.from(environment);
    const places = [`Temporal Web UI  ${stack.env['TEMPORAL_UI_URL']}`];
    const system: LocalSystem = { stack, environment, definitions, temporal, clickhouse, pipelines, open, places };
    await startWorkflows(system, say);
    await sendEvents(system, { rows: options.rows, say, signal });
    if (report) {
      const { accounts = [] } = sources.get(report.pipeline.name)!;
      places.push(...(await startReport(stack, { found: report, accounts })));
    }
    return system;
  } catch (error) {
    await stack.stop();
    throw error;
  }
}

async function fillSource(context: {
  found: GeneratedPipeline;
  stack: RunningStack;
  options: StartOptions;
  open: OpenSession;
  say: (line: string) => void;
  signal: AbortSignal;
}): Promise<CreatedSource> {
  const { found, stack, options, open, say, signal } = context;
  const { name } = found.pipeline;
  const { database } = found.generator;
  const tell = (line: string) => say(`${name.padEnd(10)} ${line}`);
  return await found.generator.create({
    open,
    admin: new URL(stack.env['POSTGRES_URL'] as string),
    database,
    ownerPassword: stack.secret(`${database}_owner`),
    capturePassword: stack.secret('capture'),
    folder: generatedFolder(stack.home, name),
    seed: SEED,
    ...(options.rows !== undefined && { rows: options.rows }),
    onProgress: tell,
    signal,
  });
}

/** Plans and applies each pipeline, starts its supervisor and first loads, and reconciles the schedules. */
async function startWorkflows(system: LocalSystem, say: (line: string) => void): Promise<void> {
  const { temporal, pipelines } = system;
  for (const { pipeline } of pipelines) {
    const steps = await planPipeline(system, pipeline.name);
    say(`${pipeline.name.padEnd(10)} plan: ${summarizePlan(steps)}`);
    await applyPlan(steps);
    if (streamLanes(pipeline).length > 0) await temporal.startSupervisor(pipeline.name);
    if (pipeline.outboxes.length > 0) await temporal.startRelay(pipeline.name);
    for (const table of referenceTables(pipeline)) await temporal.startLoad(pipeline.name, table.label);
  }
  const wanted = wantedSchedules(pipelines.map(({ pipeline }) => pipeline));
  await reconcileSchedules(temporal.client, {
    ...{ wanted, dryRun: false, deleteOrphans: false },
    say: (line) => say(`schedules  ${line}`),
  });
}
