import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { connectPostgres } from '../../adapters/postgres.ts';
import { chTable } from '../../core/identifiers.ts';
import { type Lab, PINGS } from './lab.ts';
import { kafkaEngine } from './peers.ts';
import { type BenchResult, figure, percentile } from './result.ts';

/** Transactions a second. */
const RATES = [1, 100, 1000] as const;
const SHARES = [0.5, 0.95, 0.99] as const;
const SECONDS = 20;
/** So that a second's rest shows what a stream does after it was idle, also at the lowest rate. */
const WARM_UP_MS = 2000;

/** Milliseconds from the end of COMMIT to the row's appearance, ascending. */
type Delays = number[];

export async function freshness(lab: Lab): Promise<Omit<BenchResult, 'seconds'>> {
  await lab.owner.query('CREATE TABLE IF NOT EXISTS pings (id bigint PRIMARY KEY, note text NOT NULL)');
  await lab.owner.query('GRANT SELECT ON pings TO debezium');
  await lab.startStream(PINGS);
  const { database, tables } = lab.pipeline(PINGS);
  const delays = new Map<string, Map<number, Delays>>();
  const writers = await Promise.all(Array.from({ length: 8 }, () => writer(lab)));
  try {
    const measure = async (side: string, target: string) => {
      const byRate = new Map<number, Delays>();
      for (const rate of RATES) {
        const found = await delaysAt(lab, { writers, rate, target });
        byRate.set(rate, found);
        const shown = SHARES.map((share) => `p${share * 100} ${percentile(found, share).toFixed(0)} ms`);
        lab.say(`freshness  ${side}, ${rate}/s: ${shown.join(', ')}`);
      }
      delays.set(side, byRate);
    };
    await measure('ours', chTable({ database, name: tables[0]!.target }));
    await lab.pause(PINGS);
    for (const tuning of ['default', 'tuned for freshness'] as const) {
      await using engine = await kafkaEngine(lab, {
        ...{ topic: lab.topic(PINGS), columns: 'id Int64, note String', after: 'id Int64, note String', tuning },
        values: 'after.id AS id, after.note AS note',
      });
      await measure(`Kafka engine, ${tuning}`, engine.target);
    }
  } finally {
    await Promise.all(writers.map((each) => each.end()));
  }
  return {
    name: 'freshness',
    about: `From the end of COMMIT to the row being visible in ClickHouse, for ${SECONDS} s at each rate.`,
    ...{ rows: RATES.reduce((sum, rate) => sum + rate * SECONDS, 0), bytes: null },
    figures: RATES.flatMap((rate) => SHARES.map((share) => delayFigure(delays, rate, share))),
  };
}

const GOALS: Readonly<Record<string, number>> = { '100 p50': 120, '100 p99': 400 };

function delayFigure(delays: ReadonlyMap<string, ReadonlyMap<number, Delays>>, rate: number, share: number) {
  const of = (side: string) => percentile(delays.get(side)!.get(rate)!, share);
  const label = `p${share * 100}`;
  const goal = GOALS[`${rate} ${label}`];
  return figure({
    what: `freshness at ${rate}/s, ${label}`,
    unit: 'ms',
    ours: of('ours'),
    ...(goal !== undefined && { goal }),
    peers: [...delays.keys()]
      .filter((side) => side !== 'ours')
      .map((side) => ({
        ...{ name: side, value: of(side) },
        ...(goal !== undefined && side.endsWith('default') && { goal: 20 }),
      })),
  });
}

async function writer(lab: Lab): Promise<pg.Client> {
  return await connectPostgres(lab.ownerUrl, { applicationName: 'tidegate bench' });
}

async function delaysAt(
  lab: Lab,
  { writers, rate, target }: { writers: readonly pg.Client[]; rate: number; target: string },
): Promise<Delays> {
  const found = await lab.owner.query<{ last: string }>('SELECT coalesce(max(id), 0) AS last FROM pings');
  const first = Number(found.rows[0]!.last) + 1;
  const total = Math.ceil((rate * (SECONDS * 1000 + WARM_UP_MS)) / 1000);
  const committedAt = new Map<number, number>();
  const delays: Delays = [];
  const start = performance.now();
  let next = 0;
  const write = async (client: pg.Client) => {
    for (let nth = next++; nth < total; nth = next++) {
      const dueIn = start + (nth * 1000) / rate - performance.now();
      if (dueIn > 0) await sleep(dueIn, undefined, { signal: lab.signal });
      await client.query({ name: 'ping', text: 'INSERT INTO pings VALUES ($1, $2)', values: [first + nth, 'ping'] });
      committedAt.set(first + nth, performance.now());
    }
  };
  const writing = Promise.all(writers.map(write));
  const seen = new Set<number>();
  let contiguous = first;
  // Rows that appear before COMMIT has returned to this process count as 0.
  const watch = async () => {
    const rows = await lab.clickhouse.rows<{ id: string }>(`SELECT id FROM ${target} WHERE id >= {from:Int64}`, {
      params: { from: contiguous },
    });
    const now = performance.now();
    for (const id of rows.map((row) => Number(row.id)).filter((each) => !seen.has(each))) {
      seen.add(id);
      const due = start + ((id - first) * 1000) / rate;
      if (due - start >= WARM_UP_MS) delays.push(Math.max(0, now - (committedAt.get(id) ?? now)));
    }
    while (seen.delete(contiguous)) contiguous++;
    return contiguous >= first + total;
  };
  await lab.until('every ping has arrived', watch, { everyMs: 2 });
  await writing;
  return delays.sort((a, b) => a - b);
}
