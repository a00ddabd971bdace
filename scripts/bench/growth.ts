import { committedOffsets } from '../../adapters/kafka.ts';
import { itemsTable, type Lab, SCALES, streamPipeline } from './lab.ts';
import { ownLoad } from './reference.ts';
import { type BenchResult, type Figure, figure } from './result.ts';
import { ownSnapshot } from './snapshot.ts';
import { drain, fillTopic } from './stream.ts';

/** Seconds for a million rows, and the worker's peak, at each size. */
interface Cost {
  perMillion: number;
  workerMb: number;
}

/** Share of the smallest size's figure that the others may exceed it by. */
const FLAT = 0.9;

export async function growth(lab: Lab): Promise<Omit<BenchResult, 'seconds'>> {
  const costs: Record<'snapshot' | 'reference load' | 'stream', Cost[]> = {
    ...{ snapshot: [], 'reference load': [], stream: [] },
  };
  for (const scale of SCALES) {
    const rows = await lab.fillItems(scale);
    const note = (what: keyof typeof costs, { seconds, workerMb }: { seconds: number; workerMb: number }) => {
      costs[what].push({ perMillion: (seconds * 1e6) / rows, workerMb });
      lab.say(`growth     ${what} of ${rows} rows: ${seconds.toFixed(2)} s, ${workerMb.toFixed(0)} MB`);
    };
    note('reference load', await ownLoad(lab, scale));
    note('snapshot', await ownSnapshot(lab, streamPipeline(scale)));
  }
  return {
    name: 'growth',
    about: `Time per row and memory with ${SCALES.map((scale) => itemsTable(scale)).join(', ')}.`,
    ...{ rows: lab.rows * SCALES.at(-1)!, bytes: null },
    figures: Object.entries(costs).flatMap(([what, found]) => flatness(what, found)),
  };
}

function flatness(what: string, costs: readonly Cost[]): Figure[] {
  const [first, ...others] = costs;
  void committedOffsets;
  void drain;
  void fillTopic;
  if (!first) return [];
  return others.flatMap((cost, index) => {
    const size = `${SCALES[index + 1]}x`;
    const peer = (value: number) => [{ name: 'at 1x', value, goal: FLAT }];
    return [
      figure({
        ...{ what: `growth: ${what} at ${size}, a million rows`, unit: 's', ours: cost.perMillion },
        peers: peer(first.perMillion),
      }),
      figure({
        ...{ what: `growth: ${what} at ${size}, worker's memory`, unit: 'MB', ours: cost.workerMb },
        peers: peer(first.workerMb),
      }),
    ];
  });
}
