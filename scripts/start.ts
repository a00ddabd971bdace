#!/usr/bin/env node
import { setTimeout as sleep } from 'node:timers/promises';
import { runProgram } from '../adapters/program.ts';
import { followVerify } from '../adapters/temporalWork.ts';
import type { VerifyReport } from '../core/activityTypes.ts';
import { TidegateError } from '../core/errors.ts';
import { type PipelineReport, readStatus } from './commands/statusReport.ts';
import { reportLines } from './commands/verify.ts';
import { bringUp, type LocalSystem } from './start/localSystem.ts';
import { firstMerges } from './start/merges.ts';
import { onceReport } from './start/onceReport.ts';
import { type StartOptions, startCommand } from './start/options.ts';
import { runTraffic } from './start/traffic.ts';
import { LiveView } from './start/view.ts';

const started = performance.now();
const seconds = () => ((performance.now() - started) / 1000).toFixed(1);

/** Aborted by the first Ctrl-C. A terminal sends it to npm as well, which sends it on, so a second one means nothing. */
function interruption(): AbortSignal {
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () =>
      interrupted.abort(
        new TidegateError('STACK_FAILED', 'interrupted', { remedy: 'What had been started is stopped.' }),
      ),
    );
  }
  return interrupted.signal;
}

async function main(options: StartOptions): Promise<void> {
  const signal = interruption();
  const say = (line: string): void => console.log(line);
  const system = await bringUp({ options, say, signal });
  try {
    say(`\n${system.places.join('\n')}\n`);
    const view = new LiveView(process.stdout);
    await follow(system, { view, signal, until: settled });
    if (!signal.aborted) await Promise.race([firstMerges(system, say), interrupted(signal)]);
    if (options.once) await verifyOnce(system);
    else await keepRunning(system, { options, view, signal });
  } finally {
    // First: whatever goes wrong behind it, no service is left behind. Temporal's client throws where nobody catches it
    // when it is closed while it tries a call again.
    await system.stack.stop();
    await system.temporal.close();
    await system.clickhouse.close();
  }
}

/** Shows the status of all pipelines, twice a second, until a condition is met or Ctrl-C is pressed. */
async function follow(
  { environment, temporal, clickhouse, pipelines }: LocalSystem,
  {
    view,
    signal,
    until,
  }: { view: LiveView; signal: AbortSignal; until: (reports: readonly PipelineReport[]) => boolean },
): Promise<void> {
  const definitions = pipelines.map(({ pipeline }) => pipeline);
  while (!signal.aborted) {
    const reports = await readStatus({ environment, temporal, clickhouse }, definitions);
    view.update(reports, `Up for ${Math.round(Number(seconds()))} s. Ctrl-C stops everything and keeps the data.`);
    failIfStuck(reports);
    if (until(reports)) break;
    await sleep(500, undefined, { signal }).catch(() => undefined);
  }
  view.finish();
}

function interrupted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

/** True once every reference table is loaded and every stream flows. */
function settled(reports: readonly PipelineReport[]): boolean {
  return reports.every(({ tables }) => tables.every(({ phase }) => phase === 'loaded' || phase === 'streaming'));
}

/** What a workflow has given up, waiting does not mend. */
function failIfStuck(reports: readonly PipelineReport[]): void {
  for (const { pipeline, tables, lastError } of reports) {
    const stuck = tables.find(({ phase }) => phase === 'failed' || phase === 'timed out' || phase === 'terminated');
    if (!stuck) continue;
    const why = stuck.lastError?.message ?? lastError?.message ?? 'the Temporal Web UI shows why';
    throw new TidegateError('STACK_FAILED', `${pipeline}.${stuck.table} ${stuck.phase}: ${why.replace(/\.$/, '')}`, {
      remedy: 'npx tidegate status shows more while the stack runs.',
    });
  }
}

/** Compares every table with its source and ends with one line of JSON. The exit code says whether all match. */
async function verifyOnce({ temporal, pipelines }: LocalSystem): Promise<void> {
  const reports: VerifyReport[] = [];
  for (const { pipeline } of pipelines) {
    const workflowId = await temporal.startVerify(pipeline.name);
    reports.push(await followVerify(temporal.client, { workflowId, onActivities: () => {} }));
  }
  for (const line of reports.flatMap(reportLines)) console.log(line);
  const report = onceReport(reports, Number(seconds()));
  if (!report.ok) process.exitCode = 1;
  // After the services have said that they stopped, so that it is the last line.
  process.on('exit', () => console.log(JSON.stringify(report)));
}

async function keepRunning(
  system: LocalSystem,
  { options, view, signal }: { options: StartOptions; view: LiveView; signal: AbortSignal },
): Promise<void> {
  console.log(`Everything streams after ${seconds()} s.`);
  const traffic =
    options.traffic > 0
      ? runTraffic(system, { ratePerSecond: options.traffic, rows: options.rows, signal })
      : Promise.resolve();
  await Promise.all([traffic, follow(system, { view, signal, until: () => false })]);
}

const command = startCommand();
command.action((options: StartOptions) => runProgram(() => main(options), { name: 'tidegate' }));
await command.parseAsync();
