import { endOffsets } from '../../adapters/kafka.ts';
import { partitionKey } from '../../core/partitions.ts';
import { itemsTable, type Lab, SCALES, streamPipeline } from './lab.ts';
import { ownLoad } from './reference.ts';
import { type BenchResult, type Figure, figure } from './result.ts';
import { ownSnapshot } from './snapshot.ts';
import { drain, fillTopic } from './stream.ts';

/** Seconds for a million rows, and the worker's peak, at one size. */
interface Cost {
  scale: number;
  perMillion: number;
  workerMb: number;
}

interface Measured {
  scale: number;
  rows: number;
  seconds: number;
  workerMb: number;
}

/** How near the smallest size's figure the others are to stay: within 10 %. */
const FLAT = 0.9;
/** The largest backlog, as a multiple of the topic that the benchmark `stream` fills; Debezium needs its time for it. */
const BACKLOG = 2;

type Kind = 'reference load' | 'snapshot' | 'stream';

export async function growth(lab: Lab): Promise<Omit<BenchResult, 'seconds'>> {
  const costs: Record<Kind, Cost[]> = { 'reference load': [], snapshot: [], stream: [] };
  const note = (kind: Kind, { scale, rows, seconds, workerMb }: Measured) => {
    costs[kind].push({ scale, perMillion: (seconds * 1e6) / rows, workerMb });
    lab.say(`growth     ${kind} of ${rows} rows: ${seconds.toFixed(2)} s, ${workerMb.toFixed(0)} MB`);
  };
  for (const scale of SCALES) {
    const rows = await lab.fillItems(scale);
    note('reference load', { scale, rows, ...(await ownLoad(lab, scale)) });
    const name = streamPipeline(scale);
    if (!(await lab.temporal.stream(name))) note('snapshot', { scale, rows, ...(await ownSnapshot(lab, name)) });
  }
  for (const measured of await backlogs(lab)) note('stream', measured);
  return {
    name: 'growth',
    about:
      `Time for a million rows and the worker's memory at 1, 4 and 16 times the rows: tables from ${itemsTable(1)} of ` +
      `${lab.rows.toLocaleString('en')} rows, backlogs from ${((lab.rows * BACKLOG) / 16).toLocaleString('en')} messages.`,
    ...{ rows: lab.rows * SCALES.at(-1)!, bytes: null },
    figures: (Object.keys(costs) as Kind[]).flatMap((kind) => flatness(kind, costs[kind])),
  };
}

/** The last part of one topic is drained, then more of it, then all. */
async function backlogs(lab: Lab): Promise<Measured[]> {
  const name = streamPipeline(1);
  const topic = lab.topic(name);
  const length = async () => Number((await endOffsets(lab.kafka, [topic])).get(partitionKey(topic, 0)));
  await lab.pause(name);
  while ((await length()) < lab.rows * BACKLOG) await fillTopic(lab, name, 1);
  const all = await length();
  const found: Measured[] = [];
  for (const scale of SCALES) {
    const rows = Math.floor((all * scale) / SCALES.at(-1)!);
    const { seconds, workerMb } = await drain(lab, name, all - rows);
    found.push({ scale, rows, seconds, workerMb });
  }
  return found;
}

function flatness(kind: Kind, [first, ...others]: readonly Cost[]): Figure[] {
  if (!first) return [];
  // The smallest snapshot is not measured where its stream has been running already.
  const against = (value: number) => [{ name: `at ${first.scale}x`, value, goal: FLAT }];
  return others.flatMap(({ scale, perMillion, workerMb }) => {
    const what = `${kind} at ${scale}x`;
    return [
      figure({ what: `${what}, a million rows`, unit: 's', ours: perMillion, peers: against(first.perMillion) }),
      figure({ what: `${what}, worker's memory`, unit: 'MB', ours: workerMb, peers: against(first.workerMb) }),
    ];
  });
}
