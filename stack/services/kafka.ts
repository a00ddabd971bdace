import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureKafkaJars, javaCommand, missingForKafka } from '../java.ts';
import { withHeartbeat } from '../progress.ts';
import { formatProperties } from '../properties.ts';
import type { Service, ServiceContext } from '../service.ts';
import { run } from '../tools.ts';
import { countBrokers } from './kafkaProbe.ts';

/** One Kafka process that is broker and controller at once (KRaft). */
export const kafka: Service = {
  name: 'kafka',
  missingTools: missingForKafka,
  ending: [{ signal: 'SIGTERM', graceMs: 20_000 }],

  async prepare(context) {
    await ensureKafkaJars(context);
    const folder = join(context.home.data, 'kafka');
    const config = join(context.home.config, 'kafka.properties');
    mkdirSync(folder, { recursive: true });
    writeFileSync(config, formatProperties(brokerProperties(context, folder)), { mode: 0o600 });
    if (!existsSync(join(folder, 'meta.properties'))) await format(context, config);
    return await javaCommand({ heapMb: 512, mainClass: 'kafka.Kafka', args: [config] });
  },

  async check({ ports }) {
    const brokers = await countBrokers({ host: '127.0.0.1', port: ports.kafka, timeoutMs: 5000 });
    if (brokers === 0) throw new Error('the broker has not registered yet');
  },

  env: ({ ports }) => ({ KAFKA_BROKERS: `127.0.0.1:${ports.kafka}` }),
};

function brokerProperties({ ports }: ServiceContext, folder: string): Record<string, string | number | boolean> {
  return {
    'process.roles': 'broker,controller',
    'node.id': 1,
    // The voters are configured, not kept in the metadata log, so that a home may come up on other ports.
    'controller.quorum.voters': `1@127.0.0.1:${ports.kafkaController}`,
    'controller.listener.names': 'CONTROLLER',
    listeners: `PLAINTEXT://127.0.0.1:${ports.kafka},CONTROLLER://127.0.0.1:${ports.kafkaController}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${ports.kafka}`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'log.dirs': folder,
    'log.retention.hours': 168,
    // Debezium sends a row's old and new values in one message, which exceeds the default of 1 MB for large texts.
    'message.max.bytes': 33_554_432,
    'replica.fetch.max.bytes': 33_554_432,
    // One broker: inner topics of one replica, and few partitions, which start faster.
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 4,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'transaction.state.log.num.partitions': 4,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    'group.initial.rebalance.delay.ms': 0,
    // A killed broker may register again only after its old session has ended; nine seconds unless set.
    'broker.session.timeout.ms': 3000,
    'broker.heartbeat.interval.ms': 500,
    // The default buffer of the log cleaner would take a quarter of the heap.
    'log.cleaner.dedupe.buffer.size': 16_777_216,
  };
}

async function format(context: ServiceContext, config: string): Promise<void> {
  const tool = await javaCommand({
    heapMb: 128,
    mainClass: 'kafka.tools.StorageTool',
    args: ['format', '--ignore-formatted', '-t', context.credentials.kafkaClusterId, '-c', config],
  });
  const { say, signal } = context;
  await withHeartbeat({ say, doing: 'formatting storage' }, () => run(tool.file, { args: tool.args, signal }));
}
