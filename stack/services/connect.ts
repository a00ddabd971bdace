import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureKafkaJars, javaCommand, kafkaFolder, missingForKafka } from '../java.ts';
import { formatProperties } from '../properties.ts';
import type { Service, ServiceContext } from '../service.ts';

const connector = 'io.debezium.connector.postgresql.PostgresConnector';

/** One distributed Kafka Connect worker with Debezium's connector for PostgreSQL. */
export const connect: Service = {
  name: 'connect',
  missingTools: missingForKafka,
  ending: [{ signal: 'SIGTERM', graceMs: 30_000 }],

  async prepare(context) {
    await ensureKafkaJars(context);
    const config = join(context.home.config, 'connect.properties');
    writeFileSync(config, formatProperties(workerProperties(context)), { mode: 0o600 });
    const mainClass = 'org.apache.kafka.connect.cli.ConnectDistributed';
    return await javaCommand({ heapMb: 768, mainClass, args: [config] });
  },

  async check({ ports }) {
    await get(ports.connect, '/connectors');
    // Answers well only once the worker has joined its group and can take connectors.
    await get(ports.connect, '/health');
    const plugins = (await get(ports.connect, '/connector-plugins')) as { class: string }[];
    if (!plugins.some((plugin) => plugin.class === connector)) throw new Error(`plugin ${connector} is not loaded`);
  },

  env: ({ home, ports }) => ({
    CONNECT_URL: `http://127.0.0.1:${ports.connect}`,
    CONNECT_SECRETS_DIR: home.secrets,
  }),
};

async function get(port: number, path: string): Promise<unknown> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(5000) });
  if (!response.ok) throw new Error(`GET ${path} answered ${response.status}`);
  return await response.json();
}

function workerProperties({ home, ports }: ServiceContext): Record<string, string | number | boolean> {
  const json = 'org.apache.kafka.connect.json.JsonConverter';
  return {
    'bootstrap.servers': `127.0.0.1:${ports.kafka}`,
    'group.id': 'tidegate-connect',
    listeners: `http://127.0.0.1:${ports.connect}`,
    'rest.advertised.host.name': '127.0.0.1',
    'rest.advertised.port': ports.connect,
    'key.converter': json,
    'key.converter.schemas.enable': false,
    'value.converter': json,
    'value.converter.schemas.enable': false,
    'offset.storage.topic': 'connect-offsets',
    'offset.storage.replication.factor': 1,
    'offset.storage.partitions': 1,
    'config.storage.topic': 'connect-configs',
    'config.storage.replication.factor': 1,
    'status.storage.topic': 'connect-status',
    'status.storage.replication.factor': 1,
    'status.storage.partitions': 1,
    'offset.flush.interval.ms': 1000,
    'producer.max.request.size': 33_554_432,
    'connector.client.config.override.policy': 'All',
    // A killed worker is replaced soon: its membership ends after the shortest session that the broker allows, and
    // what it ran is given to the new one at once.
    'session.timeout.ms': 6000,
    'heartbeat.interval.ms': 2000,
    'scheduled.rebalance.max.delay.ms': 0,
    // While Kafka is down a task cannot stop, as it waits to send. Given up on after the usual five seconds, Debezium's
    // task fails to close its connection, and its slot stays taken until the worker ends. So wait for Kafka instead.
    'task.shutdown.graceful.timeout.ms': 300_000,
    'config.providers': 'file',
    'config.providers.file.class': 'org.apache.kafka.common.config.provider.FileConfigProvider',
    'config.providers.file.param.allowed.paths': home.secrets,
    'plugin.path': join(kafkaFolder(), 'plugins'),
    // Debezium lists its plugins in service files, so its jars need not be searched, which takes seconds.
    'plugin.discovery': 'service_load',
  };
}
