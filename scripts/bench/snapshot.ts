import { listTopics } from '../../adapters/kafka.ts';
import type { SnapshotResult } from '../../core/activityTypes.ts';
import { workflowIds } from '../../core/names.ts';
import { itemsTable, type Lab, ROUNDS, secondsOf, snapshotPipeline } from './lab.ts';
import { debeziumSnapshot, ITEM_COLUMNS, ITEM_EVENTS, kafkaEngine, postgresqlTable } from './peers.ts';
import { type BenchResult, figure, median } from './result.ts';

/** Into a table like the target of a stream. */
export async function insertFromPostgresql(lab: Lab, scale: number): Promise<number> {
  await lab.clickhouse.command('CREATE DATABASE IF NOT EXISTS peer');
  await lab.clickhouse.command(`CREATE OR REPLACE TABLE peer.copied (${ITEM_COLUMNS}, _version UInt128, _deleted UInt8)
    ENGINE = ReplacingMergeTree(_version, _deleted) ORDER BY id`);
  const from = postgresqlTable(lab, itemsTable(scale));
  const insert = `INSERT INTO peer.copied SELECT id, name, category, price, updated_at, 1, 0 FROM ${from}`;
  return await secondsOf(() => lab.clickhouse.command(insert));
}

export interface OwnSnapshot {
  /** What the copying took, without the slot, the topics and the connector. */
  seconds: number;
  /** From the start of the workflow to its end. */
  wholeSeconds: number;
  workerMb: number;
}

/** The initial snapshot of a pipeline; the stream then runs. */
export async function ownSnapshot(lab: Lab, pipeline: string): Promise<OwnSnapshot> {
  const meter = lab.meter('worker');
  await lab.startStream(pipeline);
  const wholeSeconds = await lab.workflowSeconds(workflowIds.snapshot(pipeline));
  const workerMb = meter.peakMb();
  const result = lab.temporal.client.workflow.getHandle(workflowIds.snapshot(pipeline)).result();
  return { seconds: ((await result) as SnapshotResult).seconds, wholeSeconds, workerMb };
}

export async function snapshot(lab: Lab): Promise<Omit<BenchResult, 'seconds'>> {
  const rows = await lab.fillItems(1);
  const ours: number[] = [];
  const theirs: number[] = [];
  let workerMb = 0;
  // The first round only warms both sides up.
  for (let round = 0; round <= ROUNDS; round++) {
    const peer = await insertFromPostgresql(lab, 1);
    const own = await ownSnapshot(lab, snapshotPipeline(round));
    await lab.endStream(snapshotPipeline(round));
    lab.say(`snapshot   ours ${own.seconds.toFixed(2)} s, postgresql() ${peer.toFixed(2)} s`);
    if (round === 0) continue;
    ours.push(own.seconds);
    theirs.push(peer);
    workerMb = Math.max(workerMb, own.workerMb);
  }
  const debezium = await secondsOf(() => viaDebezium(lab, rows));
  lab.say(`snapshot   Debezium's ${debezium.toFixed(1)} s`);
  return {
    name: 'snapshot',
    about: `Initial snapshot of 5 columns, from the start of its workflow to its end; median of ${ROUNDS}.`,
    ...{ rows, bytes: null },
    figures: [
      figure({
        ...{ what: 'snapshot', unit: 'rows/s', ours: rows / median(ours) },
        peers: [
          { name: 'INSERT SELECT FROM postgresql()', value: rows / median(theirs), goal: 0.9 },
          { name: "Debezium's snapshot, Kafka engine", value: rows / debezium, goal: 25 },
        ],
      }),
      figure({ what: "snapshot: worker's memory", unit: 'MB', ours: workerMb, goal: 300 }),
    ],
  };
}

/** Debezium's snapshot into Kafka, and from there by the Kafka engine, which is the faster of the two. */
async function viaDebezium(lab: Lab, rows: number): Promise<void> {
  await using capture = await debeziumSnapshot(lab, snapshotPipeline(ROUNDS));
  const { topic } = capture;
  await lab.until('Debezium has made its topic', async () => (await listTopics(lab.kafka)).includes(topic));
  await using engine = await kafkaEngine(lab, { topic, ...ITEM_EVENTS, tuning: 'tuned for throughput' });
  await lab.until('all rows are there', async () => (await lab.count(engine.target)) >= rows, { everyMs: 250 });
}
