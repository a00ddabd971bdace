import { committedOffsets, endOffsets } from '../../adapters/kafka.ts';
import { pgIdentifier } from '../../core/identifiers.ts';
import { partitionKey } from '../../core/partitions.ts';
import { itemsTable, type Lab, ROUNDS, secondsOf, streamPipeline } from './lab.ts';
import { ITEM_EVENTS, type KafkaEngineTuning, kafkaEngine } from './peers.ts';
import { type BenchResult, figure, median } from './result.ts';

/** Updates every row while the stream is paused. @returns how fast Debezium brought the changes into the topic. */
export async function fillTopic(lab: Lab, pipeline: string, scale: number): Promise<{ rows: number; seconds: number }> {
  const topic = lab.topic(pipeline);
  const rows = lab.rows * scale;
  const end = async () => (await endOffsets(lab.kafka, [topic])).get(partitionKey(topic, 0)) ?? 0n;
  const wanted = (await end()) + BigInt(rows);
  const seconds = await secondsOf(async () => {
    await lab.owner.query(`UPDATE ${pgIdentifier(itemsTable(scale))} SET price = price + 1`);
    await lab.until('Debezium has sent every change', async () => (await end()) >= wanted, { everyMs: 250 });
  });
  return { rows, seconds };
}

/** kafkajs reading a topic from its beginning and doing nothing with it: no consumer in JavaScript is faster. */
export async function readAlone(lab: Lab, topic: string): Promise<{ seconds: number; bytes: number }> {
  const end = (await endOffsets(lab.kafka, [topic])).get(partitionKey(topic, 0))!;
  const consumer = lab.kafka.consumer({ groupId: `bench-alone-${Date.now()}`, maxBytesPerPartition: 1024 * 1024 });
  const all = Promise.withResolvers<void>();
  let bytes = 0;
  let start = 0;
  try {
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      async eachBatch({ batch, resolveOffset }) {
        start ||= performance.now();
        for (const { value } of batch.messages) bytes += value?.length ?? 0;
        resolveOffset(batch.lastOffset());
        if (BigInt(batch.lastOffset()) + 1n >= end) all.resolve();
      },
    });
    await all.promise;
    return { seconds: (performance.now() - start) / 1000, bytes };
  } finally {
    await consumer.disconnect();
  }
}

export interface Drain {
  /** From the first commit to the last. */
  seconds: number;
  workerMb: number;
  workerCpu: number;
  clickhouseCpu: number;
}

/** The stream, paused, is put back to an offset and resumed; it is paused again at the end. */
export async function drain(lab: Lab, name: string, from = 0): Promise<Drain> {
  const pipeline = lab.pipeline(name);
  const topic = lab.topic(name);
  const group = pipeline.stream.consumerGroup;
  const end = (await endOffsets(lab.kafka, [topic])).get(partitionKey(topic, 0))!;
  const admin = lab.kafka.admin();
  await admin.connect();
  await admin.setOffsets({ groupId: group, topic, partitions: [{ partition: 0, offset: String(from) }] });
  await admin.disconnect();
  const [worker, clickhouse] = [lab.meter('worker'), lab.meter('clickhouse')];
  await lab.temporal.signalStream(name, 'resume');
  const committed = async () =>
    (await committedOffsets(lab.kafka, { group, topics: [topic] })).get(partitionKey(topic, 0)) ?? 0n;
  await lab.until('the stream has begun', async () => (await committed()) > BigInt(from), { everyMs: 100 });
  const start = performance.now();
  const already = await committed();
  await lab.until('the topic is drained', async () => (await committed()) >= end, { everyMs: 100 });
  // What had been committed when the clock was started counts neither as time nor as work.
  const share = Number(end - already) / Number(end - BigInt(from));
  const seconds = (performance.now() - start) / 1000 / share;
  const usage = { workerMb: worker.peakMb(), workerCpu: worker.cpuSeconds(), clickhouseCpu: clickhouse.cpuSeconds() };
  await lab.pause(name);
  return { seconds, ...usage };
}

export async function stream(lab: Lab): Promise<Omit<BenchResult, 'seconds'>> {
  const name = streamPipeline(1);
  await lab.fillItems(1);
  await lab.startStream(name);
  await lab.pause(name);
  const filled = await fillTopic(lab, name, 1);
  const { rows } = filled;
  lab.say(`stream     Debezium sent ${rows} changes in ${filled.seconds.toFixed(1)} s`);
  const topic = lab.topic(name);
  const ours: Drain[] = [];
  const alone: number[] = [];
  let bytes = 0;
  // The first round only warms both sides up.
  for (let round = 0; round <= ROUNDS; round++) {
    const peer = await readAlone(lab, topic);
    const own = await drain(lab, name);
    lab.say(
      `stream     ours ${own.seconds.toFixed(2)} s, processor ${own.workerCpu.toFixed(1)} + ` +
        `${own.clickhouseCpu.toFixed(1)} s, ${own.workerMb.toFixed(0)} MB; kafkajs alone ${peer.seconds.toFixed(2)} s`,
    );
    bytes = peer.bytes;
    if (round === 0) continue;
    ours.push(own);
    alone.push(peer.seconds);
  }
  const engines: { name: string; value: number; goal?: number }[] = [];
  for (const tuning of ['default', 'tuned for throughput'] as const) {
    const seconds = await drainByEngine(lab, { topic, rows, tuning });
    lab.say(`stream     Kafka engine, ${tuning}: ${seconds.toFixed(2)} s`);
    engines.push({
      name: `Kafka engine, ${tuning}`,
      value: rows / seconds,
      ...(tuning === 'default' && { goal: 1.5 }),
    });
  }
  return {
    name: 'stream',
    about: `A topic of Debezium's messages drained into the target; median of ${ROUNDS}.`,
    ...{ rows, bytes },
    figures: [
      figure({
        ...{ what: 'stream', unit: 'rows/s', ours: rows / median(ours.map(({ seconds }) => seconds)) },
        peers: [
          ...engines,
          { name: 'kafkajs reading alone (the limit)', value: rows / median(alone), goal: 0.7 },
          { name: 'Debezium sending', value: rows / filled.seconds },
        ],
      }),
      figure({
        ...{ what: "stream: worker's memory", unit: 'MB', goal: 300 },
        ours: Math.max(...ours.map(({ workerMb }) => workerMb)),
      }),
    ],
  };
}

/** From the first rows to the last. */
async function drainByEngine(
  lab: Lab,
  { topic, rows, tuning }: { topic: string; rows: number; tuning: KafkaEngineTuning },
): Promise<number> {
  const start = performance.now();
  await using engine = await kafkaEngine(lab, { topic, ...ITEM_EVENTS, tuning });
  // Merges may remove rows only when keys repeat, and each key is in the topic once.
  await lab.until('all rows are there', async () => (await lab.count(engine.target)) >= rows, { everyMs: 100 });
  return (performance.now() - start) / 1000;
}
