import { connect as connectTo, createServer, type Server } from 'node:net';
import kafkajs, { type Kafka } from 'kafkajs';
import { DeadLetters } from '../../activities/deadLetters.ts';
import { runStream } from '../../activities/runStream.ts';
import type { StreamSeams } from '../../activities/runStreamSession.ts';
import { committedOffsets, createTopics, deleteTopics, openKafka } from '../../adapters/kafka.ts';
import type { StreamProgress } from '../../core/activityTypes.ts';
import type { SourceColumn, SourceTable } from '../../core/catalog.ts';
import { streamDdl } from '../../core/ddl.ts';
import { deadLettersDdl } from '../../core/deadLetters.ts';
import { chIdentifier } from '../../core/identifiers.ts';
import { depsFor, startActivity, uniqueName } from './streamSupport.ts';

const column = (name: string, attnum: number, type: Partial<SourceColumn>): SourceColumn => ({
  name,
  attnum,
  type: 'bigint',
  typeName: 'int8',
  typeKind: 'b',
  typeCategory: 'N',
  dimensions: 0,
  notNull: false,
  generated: false,
  default: null,
  ...type,
});

/** things(id bigint primary key, name text, amount bigint), as the catalog of a source would describe it. */
const THINGS: SourceTable = {
  schema: 'public',
  name: 'things',
  oid: 1,
  kind: 'r',
  columns: [
    column('id', 1, { notNull: true }),
    column('name', 2, { type: 'text', typeName: 'text', typeCategory: 'S' }),
    column('amount', 3, {}),
  ],
  primaryKey: ['id'],
  deferrableKey: null,
  replicaIdentity: 'd',
  identityIndex: [],
  estimatedRows: -1,
  pages: 0,
};

export interface Change {
  id: number;
  name?: string | null;
  /** Written into the JSON as it is, so that it may be any 64-bit integer. */
  amount?: string;
  op?: 'c' | 'u' | 'd';
  lsn?: number;
}

let lastLsn = 1_000_000;

/** A message as Debezium writes it. */
export function messageOf({ id, name = `thing ${id}`, amount = '1', op = 'c', lsn = ++lastLsn }: Change): string {
  const row = `{"id":${id},"name":${JSON.stringify(name)},"amount":${amount}}`;
  const [before, after] = op === 'd' ? [`{"id":${id},"name":null,"amount":null}`, 'null'] : ['null', row];
  const now = Date.now();
  const times = `"ts_us":${now}000,"ts_ns":${now}000000`;
  const source =
    `{"version":"3.3.1.Final","connector":"postgresql","name":"lab","ts_ms":${now},"snapshot":"false","db":"lab",` +
    `"sequence":"[null,\\"${lsn}\\"]",${times},"schema":"public","table":"things","txId":7,"lsn":${lsn},"xmin":null}`;
  return `{"before":${before},"after":${after},"source":${source},"transaction":null,"op":"${op}","ts_ms":${now},${times}}`;
}

export interface LabOptions {
  partitions?: number;
  /** Addresses of other services than the environment's. */
  services?: Readonly<Record<string, string>>;
  /** What the stream reaches ClickHouse through. */
  gate?: { url: string };
  stopAfter?: number;
}

/** A pipeline with a topic, a database and a consumer group of its own. */
export async function openLab(options: LabOptions = {}) {
  const name = uniqueName('streamlab');
  const { services = {}, gate, stopAfter } = options;
  const deadLetters = stopAfter === undefined ? {} : { stopAfter };
  const input = { name, source: 'UNUSED_URL', deadLetters, tables: { things: {} } };
  const deps = depsFor(input, gate ? { ...services, CLICKHOUSE_URL: gate.url } : services);
  const direct = depsFor(input, services).clickhouse;
  const kafka = openKafka(deps.environment);
  const topic = `${name}.public.things`;
  const { consumerGroup } = deps.pipeline.stream;
  await createTopics(kafka, [topic], { partitions: options.partitions ?? 1 });
  await direct.command(`CREATE DATABASE ${chIdentifier(name)}`);
  const ddl = [...streamDdl({ database: name, table: deps.pipeline.tables[0]!, source: THINGS }), deadLettersDdl(name)];
  const producer = kafka.producer({ createPartitioner: kafkajs.Partitioners.LegacyPartitioner });
  await producer.connect();

  return {
    name,
    topic,
    deps,
    kafka,
    clickhouse: direct,
    ddl,
    createTarget: async () => {
      for (const statement of ddl) await direct.command(statement);
    },
    /** Sends values in order; null is a tombstone. */
    send: async (values: readonly (string | Buffer | null)[], partition = 0) => {
      for (let start = 0; start < values.length; start += 10_000) {
        const messages = values.slice(start, start + 10_000).map((value) => ({ key: 'k', value, partition }));
        await producer.send({ topic, messages });
      }
    },
    start: (seams: StreamSeams = {}) =>
      startActivity<StreamProgress, StreamProgress>(() =>
        runStream(deps, { checkDrift: async () => undefined, ...seams }).runStream(name),
      ),
    committed: async (partition = 0) =>
      (await committedOffsets(kafka, { group: consumerGroup, topics: [topic] })).get(`${topic}:${partition}`),
    group: consumerGroup,
    letters: new DeadLetters(direct, deps.pipeline),
    /** The current rows, by id. */
    rows: () => direct.rows<Row>(`SELECT * FROM ${chIdentifier(name)}.things_current ORDER BY id`),
    count: async () =>
      Number((await direct.rows<{ n: string }>(`SELECT count() AS n FROM ${chIdentifier(name)}.things_current`))[0]?.n),
    async [Symbol.asyncDispose]() {
      await producer.disconnect();
      await direct.command(`DROP DATABASE ${chIdentifier(name)} SYNC`);
      await direct.close();
      await deps.clickhouse.close();
      await deleteTopics(kafka, [topic]);
    },
  };
}

export interface Row {
  id: string;
  name: string | null;
  amount: string | null;
}

/** Removes a topic's messages before an offset, as retention does. */
export async function removeMessages(kafka: Kafka, topic: string, before: number): Promise<void> {
  const admin = kafka.admin();
  try {
    await admin.connect();
    // kafkajs deletes from topics only whose leaders it has looked up.
    await admin.fetchTopicOffsets(topic);
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: String(before) }] });
  } finally {
    await admin.disconnect();
  }
}

/** A port that refuses connections until it is opened, and then passes them on. */
export async function createGate(target: URL) {
  const reserved = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => reserved.once('listening', resolve));
  const { port } = reserved.address() as { port: number };
  await new Promise((resolve) => reserved.close(resolve));
  let server: Server | null = null;
  return {
    url: `http://127.0.0.1:${port}`,
    open: async () => {
      server = createServer((socket) => {
        const onward = connectTo(Number(target.port), target.hostname);
        socket.on('error', () => onward.destroy()).pipe(onward);
        onward.on('error', () => socket.destroy()).pipe(socket);
      }).listen(port, '127.0.0.1');
      await new Promise((resolve) => server?.once('listening', resolve));
    },
    [Symbol.dispose]: () => {
      server?.close();
    },
  };
}
