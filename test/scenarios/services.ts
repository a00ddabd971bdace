import { Connection } from '@temporalio/client';
import type { Kafka } from 'kafkajs';
import type { Environment } from '../../adapters/environment.ts';
import { ensureSearchAttributes } from '../../adapters/temporalConnection.ts';

/** Registers a namespace of a scenario's own, so that workflow ids and task queues are the real ones. */
export async function openNamespace(environment: Environment, namespace: string): Promise<void> {
  await withTemporal(environment, async (connection) => {
    const day = { seconds: 86_400 as never };
    await connection.workflowService.registerNamespace({ namespace, workflowExecutionRetentionPeriod: day });
    await ensureSearchAttributes(connection, namespace);
  });
}

/** Deletes the namespace with all that runs in it. */
export async function closeNamespace(environment: Environment, namespace: string): Promise<void> {
  await withTemporal(environment, (connection) => connection.operatorService.deleteNamespace({ namespace }));
}

/** Deletes topics and a consumer group, as far as they exist. */
export async function dropFromKafka(
  kafka: Kafka,
  { topics, group }: { topics: readonly string[]; group: string },
): Promise<void> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    const existing = await admin.listTopics();
    await admin.deleteTopics({ topics: topics.filter((topic) => existing.includes(topic)) });
    const { groups } = await admin.listGroups();
    if (groups.some(({ groupId }) => groupId === group)) await admin.deleteGroups([group]);
  } finally {
    await admin.disconnect();
  }
}

async function withTemporal<T>(environment: Environment, work: (connection: Connection) => PromiseLike<T>): Promise<T> {
  const connection = await Connection.connect({ address: environment.required('TEMPORAL_ADDRESS') });
  try {
    return await work(connection);
  } finally {
    await connection.close();
  }
}
