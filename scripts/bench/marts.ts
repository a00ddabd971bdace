import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { FoundPipeline } from '../../adapters/definitions.ts';
import { dayAfter } from '../../core/days.ts';
import type { MergeResult } from '../../core/mergeTypes.ts';
import { keyedRowsName } from '../../core/names.ts';
import type { MartBenchmark } from '../../pipelines/benchmark.ts';
import { type Lab, ROUNDS, secondsOf } from './lab.ts';
import { type BenchResult, type Figure, figure, median } from './result.ts';

/** Rows of the largest input, as a multiple of --rows. */
const LARGER = 5;

interface Benched extends FoundPipeline {
  name: string;
  benchmark: MartBenchmark;
}

/** The pipelines with a mart to be measured, their targets filled. */
async function benched(lab: Lab): Promise<Benched[]> {
  const found: Benched[] = [];
  for (const name of lab.sourced) {
    const definition = lab.definitions.get(name);
    const file = join(definition.folder, 'benchmark.ts');
    if (!existsSync(file)) continue;
    const { benchmark } = (await import(pathToFileURL(file).href)) as { benchmark: MartBenchmark };
    found.push({ ...definition, name, benchmark });
    if (await lab.temporal.stream(name)) continue;
    await lab.startStream(name);
    lab.say(`source     targets of ${name}`);
    const settings = { database: definition.pipeline.database };
    for (const sql of benchmark.fill(lab.rows * LARGER)) await lab.clickhouse.command(sql, { settings });
  }
  return found;
}

/** Marts merged, against the same join as one bare INSERT SELECT. */
export async function merge(lab: Lab): Promise<Omit<BenchResult, 'seconds'>> {
  const rows = lab.rows * LARGER;
  const figures: Figure[] = [];
  for (const each of await benched(lab)) {
    const ours: number[] = [];
    const theirs: number[] = [];
    let workerMb = 0;
    for (let round = 0; round <= ROUNDS; round++) {
      const bare = await bareInsert(lab, each);
      const meter = lab.meter('worker');
      const own = await ownMerge(lab, each);
      lab.say(`merge      ${each.benchmark.mart.name}: ours ${own.toFixed(2)} s, bare ${bare.toFixed(2)} s`);
      if (round === 0) continue;
      ours.push(own);
      theirs.push(bare);
      workerMb = Math.max(workerMb, meter.peakMb());
    }
    const what = `merge of ${each.benchmark.mart.name}`;
    figures.push(
      figure({
        ...{ what, unit: 'rows/s', ours: rows / median(ours) },
        peers: [{ name: 'one INSERT SELECT', value: rows / median(theirs) }],
      }),
      figure({ what: `${what}: worker's memory`, unit: 'MB', ours: workerMb, goal: 300 }),
    );
  }
  const about = `Each mart merged whole from ${rows.toLocaleString('en')} rows, in parts that bound memory; median of ${ROUNDS}.`;
  return { name: 'merge', about, rows, bytes: null, figures };
}

/** The merge itself, without the wait for its inputs. */
async function ownMerge(lab: Lab, { name, benchmark: { mart } }: Benched): Promise<number> {
  const { temporal } = lab;
  const id =
    'days' in mart
      ? await temporal.startMerge(name, mart.name, { days: mart.days })
      : await temporal.startKeysMerge(name, mart.name, { rebuild: true });
  const { parts, byKeys } = (await temporal.client.workflow.getHandle(id).result()) as MergeResult;
  return byKeys ? byKeys[0]!.seconds : parts.reduce((sum, { seconds }) => sum + seconds, 0);
}

async function bareInsert(lab: Lab, { pipeline, folder, benchmark: { mart } }: Benched): Promise<number> {
  const { clickhouse } = lab;
  const { database } = pipeline;
  const byKeys = pipeline.keyedMarts.find((each) => each.name === mart.name);
  const { file } = byKeys ?? pipeline.marts.find((each) => each.name === mart.name)!;
  const select = (await readFile(join(folder, file), 'utf8')).trim();
  const into = 'peer.merged';
  await clickhouse.command('CREATE DATABASE IF NOT EXISTS peer');
  await clickhouse.command(`DROP TABLE IF EXISTS ${into} SYNC`);
  await clickhouse.command(`CREATE TABLE ${into} AS ${database}.${byKeys ? keyedRowsName(mart.name) : mart.name}`);
  const params: Record<string, string> =
    'days' in mart ? { from: mart.days.from, to: dayAfter(mart.days.to) } : { keys: mart.keys };
  const sql = `INSERT INTO ${into} SELECT *${byKeys ? ', 1, 0' : ''} FROM (${select})`;
  return await secondsOf(() => clickhouse.command(sql, { params, settings: { database } }));
}

/** What dashboards ask, of what is ready made, against the same of single rows. */
export async function aggregates(lab: Lab): Promise<Omit<BenchResult, 'seconds'>> {
  const figures: Figure[] = [];
  for (const each of await benched(lab)) {
    const { pipeline, benchmark } = each;
    if (benchmark.questions.length === 0) continue;
    await ownMerge(lab, each);
    const ask = async (sql: string) => {
      const times: number[] = [];
      for (let round = 0; round <= ROUNDS; round++) {
        const read = () => lab.clickhouse.rows(sql, { settings: { database: pipeline.database } });
        times.push((await secondsOf(read)) * 1000);
      }
      return median(times.slice(1));
    };
    for (const { name, ready, single } of benchmark.questions) {
      const [ours, value] = [await ask(ready), await ask(single)];
      lab.say(`aggregates ${name}: ours ${ours.toFixed(0)} ms, single rows ${value.toFixed(0)} ms`);
      figures.push(figure({ what: name, unit: 'ms', ours, peers: [{ name: 'single rows', value }] }));
    }
  }
  const rows = lab.rows * LARGER;
  const about = `What a dashboard asks of ${rows.toLocaleString('en')} rows; median of ${ROUNDS}.`;
  return { name: 'aggregates', about, rows, bytes: null, figures };
}
