import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Client } from '@temporalio/client';
import { identify } from '../../stack/identity.ts';
import { serviceNames } from '../../stack/names.ts';
import { type RunningStack, startStack } from '../../stack/stack.ts';
import {
  askClickHouse,
  askConnect,
  askPostgres,
  countMessages,
  eventually,
  listeningAddresses,
  withKafka,
  withTemporal,
} from './stackProbe.ts';

describe('the local stack', { timeout: 600_000 }, () => {
  const home = mkdtempSync(join(tmpdir(), 'tidegate-stack-'));
  const said: string[] = [];
  let stack: RunningStack;

  const start = async (): Promise<void> => {
    said.length = 0;
    stack = await startStack({ home, ports: 'auto', onProgress: (line) => said.push(line) });
  };

  before(start);

  after(async () => {
    await stack?.stop();
    rmSync(home, { recursive: true, force: true });
  });

  test('writes its addresses and passwords to a file that only its owner can read', () => {
    const file = join(home, 'stack.env');
    assert.equal(statSync(file).mode & 0o777, 0o600);
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
    assert.deepEqual(Object.fromEntries(lines.map((line) => line.split(/=(.*)/s, 2))), stack.env);
    assert.equal(statSync(stack.env['CONNECT_SECRETS_DIR']!).mode & 0o777, 0o700);
  });

  test('has PostgreSQL with logical decoding, behind a password', async () => {
    assert.match(String(await askPostgres(stack.env, 'SHOW server_version')), /^18/);
    assert.equal(await askPostgres(stack.env, 'SHOW wal_level'), 'logical');
    assert.equal(await askPostgres(stack.env, "SELECT lower('ЁЛКА')"), 'ёлка');
    const wrong = new URL(stack.env['POSTGRES_URL']!);
    wrong.password = 'wrong';
    await assert.rejects(askPostgres({ POSTGRES_URL: wrong.href }, 'SELECT 1'), { code: '28P01' });
  });

  test('has ClickHouse with a user that writes and one that only reads', async () => {
    assert.equal(await askClickHouse(stack.env, 'SELECT 1'), '1');
    assert.equal(await askClickHouse(stack.env, 'SELECT 2', 'reader'), '2');
    const create = 'CREATE TABLE reader_was_here (a Int8) ENGINE = Memory';
    await assert.rejects(askClickHouse(stack.env, create, 'reader'), /readonly/i);
  });

  test('has Kafka Connect with Debezium, which reads secrets from the given folder only', async () => {
    const plugins = (await askConnect(stack.env, '/connector-plugins')) as { class: string; version: string }[];
    const debezium = plugins.find((plugin) => plugin.class === 'io.debezium.connector.postgresql.PostgresConnector');
    assert.match(debezium?.version ?? '', /^3\.3\./);

    const { port, password } = new URL(stack.env['POSTGRES_URL']!);
    const inside = join(stack.env['CONNECT_SECRETS_DIR']!, 'sample.properties');
    const outside = join(home, 'sample.properties');
    for (const file of [inside, outside]) writeFileSync(file, `password=${password}\n`, { mode: 0o600 });
    const validate = async (file: string): Promise<string[]> => {
      const config = {
        name: 'sample',
        'connector.class': debezium!.class,
        'database.hostname': '127.0.0.1',
        'database.port': port,
        'database.user': 'postgres',
        'database.password': `\${file:${file}:password}`,
        'database.dbname': 'postgres',
        'topic.prefix': 'sample',
        'plugin.name': 'pgoutput',
      };
      const answer = await askConnect(stack.env, '/connector-plugins/PostgresConnector/config/validate', {
        method: 'PUT',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(config),
      });
      const { configs } = answer as { configs: { value: { errors: string[] } }[] };
      return configs.flatMap(({ value }) => value.errors);
    };
    assert.deepEqual(await validate(inside), []);
    assert.match((await validate(outside)).join(), /password authentication failed/);
  });

  test('has Temporal with its Web UI and the search attributes of the workflows', async () => {
    const attributes = await withTemporal(stack.env, async (connection) => {
      const answer = await connection.operatorService.listSearchAttributes({ namespace: 'default' });
      return Object.keys(answer.customAttributes ?? {});
    });
    for (const name of ['Pipeline', 'TableName', 'Stage']) assert.ok(attributes.includes(name), name);
    assert.match(await (await fetch(stack.env['TEMPORAL_UI_URL']!)).text(), /<html/i);
  });

  test('listens on the loopback address only', { skip: process.platform !== 'linux' }, () => {
    const addresses = new Set(listeningAddresses(Object.values(stack.pids)));
    // 127.0.0.1, and the same written as an IPv6 address.
    const allowed = new Set(['0100007F', '0000000000000000FFFF00000100007F']);
    assert.ok(addresses.size > 0);
    assert.deepEqual(
      [...addresses].filter((address) => !allowed.has(address)),
      [],
    );
  });

  test('refuses a second launcher in its home', async () => {
    await assert.rejects(startStack({ home, ports: 'auto' }), { code: 'ALREADY_RUNNING' });
  });

  test('starts a killed service again and says so', async () => {
    for (const name of serviceNames) {
      const before = stack.pids[name];
      await stack.kill(name, 'SIGKILL');
      await eventually(`${name} is back`, () => {
        const lines = said.filter((line) => line.startsWith(name.padEnd(11)));
        return lines.some((line) => line.includes('died: it got SIGKILL')) && lines.at(-1)!.includes('ready');
      });
      assert.notEqual(stack.pids[name], before);
    }
    assert.equal(await askPostgres(stack.env, 'SELECT 1'), 1);
    assert.equal(await askClickHouse(stack.env, 'SELECT 1'), '1');
    assert.deepEqual(await askConnect(stack.env, '/connectors'), []);
  });

  test('keeps all data over a restart of a service and over a start on other ports', async () => {
    await askPostgres(stack.env, 'CREATE TABLE kept AS SELECT 42 AS a');
    await askClickHouse(stack.env, 'CREATE TABLE kept ENGINE = MergeTree ORDER BY a AS SELECT 43 AS a');
    await withKafka(stack.env, async (kafka) => {
      const producer = kafka.producer();
      await producer.connect();
      await producer.send({ topic: 'kept', messages: [{ value: 'a' }, { value: 'b' }] });
      await producer.disconnect();
    });
    await withTemporal(stack.env, async (connection) => {
      const options = { workflowId: 'kept', taskQueue: 'nobody' };
      await new Client({ connection }).workflow.start('waits', options);
    });
    const assertKept = async (): Promise<void> => {
      assert.equal(await askPostgres(stack.env, 'SELECT a FROM kept'), 42);
      assert.equal(await askClickHouse(stack.env, 'SELECT a FROM kept'), '43');
      assert.equal(await countMessages(stack.env, 'kept'), 2);
      await withTemporal(stack.env, async (connection) => {
        const { status } = await new Client({ connection }).workflow.getHandle('kept').describe();
        assert.equal(status.name, 'RUNNING');
      });
    };

    const { pids } = stack;
    for (const name of serviceNames) await stack.restart(name);
    for (const name of serviceNames) assert.notEqual(stack.pids[name], pids[name]);
    await assertKept();

    const { env } = stack;
    await stack.stop();
    const ports = JSON.parse(readFileSync(join(home, 'ports.json'), 'utf8')) as Record<string, number>;
    const holders: Server[] = Object.values(ports).map((port) => createServer().listen(port, '127.0.0.1'));
    try {
      await start();
      for (const name of ['POSTGRES_URL', 'CLICKHOUSE_URL', 'KAFKA_BROKERS', 'CONNECT_URL', 'TEMPORAL_ADDRESS']) {
        assert.notEqual(stack.env[name], env[name], name);
      }
      assert.equal(stack.env['CLICKHOUSE_PASSWORD'], env['CLICKHOUSE_PASSWORD']);
      await assertKept();
    } finally {
      for (const holder of holders) holder.close();
    }
  });

  test('leaves no process, no pid file and no addresses behind when it stops', async () => {
    const pids = Object.values(stack.pids);
    await stack.stop();
    for (const pid of pids) assert.equal(identify(pid), undefined);
    assert.deepEqual(readdirSync(join(home, 'run')), []);
    assert.equal(readdirSync(home).includes('stack.env'), false);
  });
});
