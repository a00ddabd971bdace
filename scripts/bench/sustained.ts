import { setTimeout as sleep } from 'node:timers/promises';
import { committedOffsets, endOffsets } from '../../adapters/kafka.ts';
import { connectPostgres } from '../../adapters/postgres.ts';
import { dropSlot, readSlot } from '../../adapters/replication.ts';
import { pgIdentifier } from '../../core/identifiers.ts';
import { partitionKey } from '../../core/partitions.ts';
import { itemsTable, type Lab, secondsOf, streamPipeline } from './lab.ts';
import { type BenchResult, figure, median } from './result.ts';

const SECONDS = 300;
/** Rows of one UPDATE. */
const CHUNK = 2000;
/** The writer waits while Debezium has more than this yet to read, so that it is always busy and never far behind. */
const WAITING_WAL = 32 * 1024 * 1024;
const RAW_SLOT = 'bench_raw';

/** Messages that are in the topic and have not landed, once a second. */
interface Sample {
  sent: number;
  behind: number;
}

export async function sustained(lab: Lab): Promise<Omit<BenchResult, 'seconds'>> {
  const name = streamPipeline(1);
  const rows = await lab.fillItems(1);
  if (!(await lab.temporal.stream(name))) await lab.startStream(name);
  await lab.temporal.signalStream(name, 'resume');
  await lab.phase(name, 'streaming');
  const raw = await rawDecoding(lab, name);
  lab.say(`sustained  PostgreSQL decodes ${Math.round(raw)} changes/s`);
  const ended = new AbortController();
  const meters = { worker: lab.meter('worker'), clickhouse: lab.meter('clickhouse') };
  const writing = write(lab, { name, rows, signal: AbortSignal.any([ended.signal, lab.signal]) });
  writing.catch(() => undefined);
  const samples: Sample[] = [];
  const start = performance.now();
  while (performance.now() - start < SECONDS * 1000) {
    await sleep(1000, undefined, { signal: lab.signal });
    samples.push(await sample(lab, name));
  }
  const seconds = (performance.now() - start) / 1000;
  const cpu = { worker: meters.worker.cpuSeconds() / seconds, clickhouse: meters.clickhouse.cpuSeconds() / seconds };
  const workerMb = meters.worker.peakMb();
  ended.abort();
  await writing;
  const third = Math.floor(samples.length / 3);
  const behind = (some: readonly Sample[]) => median(some.map((each) => each.behind));
  const rate = (samples.at(-1)!.sent - samples[0]!.sent) / (samples.length - 1);
  lab.say(`sustained  ${Math.round(rate)} changes/s, ${behind(samples)} messages behind`);
  return {
    name: 'sustained',
    about: `The source writes as fast as Debezium reads for ${SECONDS} s.`,
    ...{ rows: samples.at(-1)!.sent - samples[0]!.sent, bytes: null },
    figures: [
      figure({
        ...{ what: 'sustained changes', unit: 'rows/s', ours: rate },
        peers: [{ name: "PostgreSQL's raw decoding", value: raw }],
      }),
      figure({
        ...{ what: 'messages behind, last third', unit: 'rows', ours: behind(samples.slice(-third)) },
        peers: [{ name: 'first third', value: behind(samples.slice(0, third)) }],
      }),
      figure({ what: "sustained: worker's processor", unit: '%', ours: 100 * cpu.worker }),
      figure({ what: "sustained: ClickHouse's processor", unit: '%', ours: 100 * cpu.clickhouse }),
      figure({ what: "sustained: worker's memory", unit: 'MB', ours: workerMb, goal: 300 }),
    ],
  };
}

async function sample(lab: Lab, name: string): Promise<Sample> {
  const topic = lab.topic(name);
  const partition = partitionKey(topic, 0);
  const group = lab.pipeline(name).stream.consumerGroup;
  const landed = (await committedOffsets(lab.kafka, { group, topics: [topic] })).get(partition) ?? 0n;
  const sent = (await endOffsets(lab.kafka, [topic])).get(partition) ?? 0n;
  return { sent: Number(sent), behind: Number(sent - landed) };
}

async function write(
  lab: Lab,
  { name, rows, signal }: { name: string; rows: number; signal: AbortSignal },
): Promise<void> {
  const session = await connectPostgres(lab.ownerUrl, {
    applicationName: 'tidegate bench',
  });
  const { slot } = lab.pipeline(name).stream;
  const table = pgIdentifier(itemsTable(1));
  try {
    for (let from = 1; !signal.aborted; from = from + CHUNK > rows ? 1 : from + CHUNK) {
      await session.query(`UPDATE ${table} SET price = price + 1 WHERE id >= $1 AND id < $2`, [from, from + CHUNK]);
      while (!signal.aborted && (await waitingWal(session, slot)) > WAITING_WAL) await sleep(20);
    }
  } finally {
    await session.end();
  }
}

async function waitingWal(session: { query: Lab['owner']['query'] }, slot: string): Promise<number> {
  const { rows } = await session.query<{ bytes: string }>(
    'SELECT pg_current_wal_lsn() - confirmed_flush_lsn AS bytes FROM pg_replication_slots WHERE slot_name = $1',
    [slot],
  );
  return Number(rows[0]?.bytes ?? 0);
}

/** Changes a second that PostgreSQL itself decodes for the publication. */
async function rawDecoding(lab: Lab, name: string): Promise<number> {
  const { publication } = lab.pipeline(name).stream;
  if (await readSlot(lab.capture, RAW_SLOT)) await dropSlot(lab.capture, RAW_SLOT);
  await lab.capture.query('SELECT pg_create_logical_replication_slot($1, $2)', [RAW_SLOT, 'pgoutput']);
  try {
    const count = Math.min(lab.rows, 500_000);
    await lab.owner.query(`UPDATE ${pgIdentifier(itemsTable(1))} SET price = price + 1 WHERE id <= $1`, [count]);
    const peek = `SELECT count(*) FROM pg_logical_slot_peek_binary_changes($1, NULL, NULL, 'proto_version', '1', 'publication_names', $2)`;
    const seconds = await secondsOf(() => lab.capture.query(peek, [RAW_SLOT, publication]));
    return count / seconds;
  } finally {
    await dropSlot(lab.capture, RAW_SLOT);
  }
}
