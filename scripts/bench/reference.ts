import { workflowIds } from '../../core/names.ts';
import { itemsTable, type Lab, ROUNDS, referencePipeline, secondsOf } from './lab.ts';
import { ITEM_COLUMNS, postgresqlTable } from './peers.ts';
import { type BenchResult, figure, median } from './result.ts';

export async function insertFromPostgresql(lab: Lab, scale: number): Promise<number> {
  await lab.clickhouse.command('CREATE DATABASE IF NOT EXISTS peer');
  await lab.clickhouse.command(`CREATE OR REPLACE TABLE peer.loaded (${ITEM_COLUMNS}) ENGINE = MergeTree ORDER BY id`);
  const from = postgresqlTable(lab, itemsTable(scale));
  return await secondsOf(() => lab.clickhouse.command(`INSERT INTO peer.loaded SELECT * FROM ${from}`));
}

/** One load, from the start of its workflow to its end. */
export async function ownLoad(lab: Lab, scale: number): Promise<{ seconds: number; workerMb: number }> {
  const name = referencePipeline(scale);
  await lab.apply(name);
  const meter = lab.meter('worker');
  await lab.temporal.startLoad(name, itemsTable(scale));
  const seconds = await lab.workflowSeconds(workflowIds.reference(name, itemsTable(scale)));
  return { seconds, workerMb: meter.peakMb() };
}

export async function reference(lab: Lab): Promise<Omit<BenchResult, 'seconds'>> {
  const rows = await lab.fillItems(1);
  const ours: number[] = [];
  const theirs: number[] = [];
  let workerMb = 0;
  // The first round only warms both sides up.
  for (let round = 0; round <= ROUNDS; round++) {
    const peer = await insertFromPostgresql(lab, 1);
    const own = await ownLoad(lab, 1);
    lab.say(`reference  ours ${own.seconds.toFixed(2)} s, postgresql() ${peer.toFixed(2)} s`);
    if (round === 0) continue;
    ours.push(own.seconds);
    theirs.push(peer);
    workerMb = Math.max(workerMb, own.workerMb);
  }
  return {
    name: 'reference',
    about: `Load of a reference table of ${rows.toLocaleString('en')} rows, swapped in whole; median of ${ROUNDS}.`,
    ...{ rows, bytes: null },
    figures: [
      figure({
        ...{ what: 'reference load', unit: 'rows/s', ours: rows / median(ours) },
        peers: [{ name: 'INSERT SELECT FROM postgresql()', value: rows / median(theirs), goal: 0.9 }],
      }),
      figure({ what: "reference load: worker's memory", unit: 'MB', ours: workerMb, goal: 300 }),
    ],
  };
}
