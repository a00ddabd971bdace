import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import type { ClickHouseClient } from '@clickhouse/client';
import { fails, TestServer, until } from './clickhouse-serverSupport.ts';

let server: TestServer;
let client: ClickHouseClient;

before(async () => {
  server = await TestServer.start();
  client = server.connect('writer', 'w');
});

after(async () => {
  await client.close();
  await server[Symbol.asyncDispose]();
});

describe('the official client', () => {
  for (const compressed of [false, true]) {
    test(`inserts and reads rows${compressed ? ', compressed both ways' : ''}`, async () => {
      const own = server.connect('writer', 'w', compressed);
      const table = `t.client_${compressed}`;
      await own.command({ query: `CREATE TABLE ${table} (a Int64, b Nullable(String)) ENGINE = MergeTree ORDER BY a` });
      const array = await own.insert({
        table,
        values: [{ a: '9007199254740993', b: "x'\t\n" }],
        format: 'JSONEachRow',
      });
      assert.equal(array.summary?.read_rows, '1');
      const rows = Readable.from(
        (function* () {
          for (let a = 0; a < 5000; a += 1) yield { a, b: null };
        })(),
      );
      const stream = await own.insert({ table, values: rows, format: 'JSONEachRow' });
      assert.equal(stream.summary?.read_rows, '5000');
      await own.insert({ table, values: Readable.from(['7,"a\n,b"\n8,c\n'], { objectMode: false }), format: 'CSV' });
      const read = await own.query({
        query: `SELECT a, b FROM ${table} WHERE a = {a:Int64} AND b = {b:String}`,
        query_params: { a: '9007199254740993', b: "x'\t\n" },
        format: 'JSONEachRow',
        clickhouse_settings: { output_format_json_quote_64bit_integers: 1 },
      });
      assert.deepEqual(await read.json(), [{ a: '9007199254740993', b: "x'\t\n" }]);
      const all = await own.query({ query: `SELECT a FROM ${table}, numbers(200) AS n`, format: 'JSONEachRow' });
      let count = 0;
      for await (const chunk of all.stream()) count += chunk.length;
      assert.equal(count, 5003 * 200);
      await own.close();
    });
  }

  test('sees the code and the type of an error, also in the middle of a result', async () => {
    await assert.rejects(client.query({ query: 'SELECT * FROM t.nothing' }), fails('60', 'UNKNOWN_TABLE'));
    await assert.rejects(client.command({ query: 'SELEC 1' }), fails('62', 'SYNTAX_ERROR'));
    await assert.rejects(
      server.connect('writer', 'x').query({ query: 'SELECT 1' }),
      fails('516', 'AUTHENTICATION_FAILED'),
    );
    const late = await client.query({
      query: 'SELECT number, throwIf(number = 2900000) FROM numbers(3000000)',
      format: 'JSONEachRow',
    });
    await assert.rejects(
      async () => {
        for await (const _ of late.stream());
      },
      fails('395', 'FUNCTION_THROW_IF_VALUE_IS_NON_ZERO'),
    );
  });

  test('stops a running SELECT when it is aborted or its result is abandoned', async () => {
    const abort = new AbortController();
    const query_id = 'aborted';
    const query = 'SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 7';
    const counted = client.query({ query, query_id, abort_signal: abort.signal });
    counted.catch(() => {});
    const running = (id: string) =>
      server.value(`SELECT count() FROM system.processes WHERE Settings['log_comment'] = '${id}'`);
    await until(async () => (await running(query_id)) === '1');
    abort.abort();
    await assert.rejects(counted);
    await until(async () => (await running(query_id)) === '0');
    const endless = await client.query({
      query: 'SELECT * FROM numbers(1000000000000)',
      query_id: 'abandoned',
      format: 'CSV',
    });
    for await (const _ of endless.stream()) break;
    await until(async () => (await running('abandoned')) === '0');
  });
});

test('exchanges tables of a database that it created', async () => {
  for (const table of ['t.one', 't.two'])
    await server.value(`CREATE TABLE ${table} (a Int32) ENGINE = MergeTree ORDER BY a`);
  await server.value('INSERT INTO t.one SELECT number FROM numbers(5)');
  await server.value('EXCHANGE TABLES t.one AND t.two');
  assert.equal(await server.value('SELECT (SELECT count() FROM t.one), (SELECT count() FROM t.two)'), '0\t5');
});

test('creates Kafka engine tables with views that read them', async () => {
  await server.value(
    "CREATE TABLE t.queue (a String) ENGINE = Kafka SETTINGS kafka_broker_list = '127.0.0.1:9', kafka_topic_list = 'x', " +
      "kafka_group_name = 'x', kafka_format = 'JSONAsString'",
  );
  await server.value('CREATE TABLE t.drained (a String) ENGINE = MergeTree ORDER BY a');
  await server.value('CREATE MATERIALIZED VIEW t.drain TO t.drained AS SELECT a FROM t.queue');
  assert.equal(await server.value("SELECT count() FROM system.kafka_consumers WHERE table = 'queue'"), '1');
  await server.value('DROP VIEW t.drain');
  await server.value('DROP TABLE t.queue');
});

test('keeps what was inserted when it is killed, and after an orderly end beside a hung query', async () => {
  await server.value('CREATE TABLE t.kept (a Int32) ENGINE = MergeTree ORDER BY a');
  await server.post('INSERT INTO t.kept FORMAT TSV', { body: '1\n2\n' });
  assert.equal(await server.end('SIGKILL'), null);
  await server.restart();
  assert.equal(await server.value('SELECT sum(a) FROM t.kept'), '3');
  const slow = 'SELECT sum(sleepEachRow(1)) FROM numbers(100) SETTINGS max_block_size = 1';
  const refused = assert.rejects(async () => assert.equal((await server.post(slow)).status, 200));
  await until(
    async () => (await server.value("SELECT count() FROM system.processes WHERE query LIKE '%sleepEach%'")) === '2',
  );
  assert.equal(await server.end('SIGTERM'), 0);
  await refused;
  await server.restart();
  assert.equal(await server.value('SELECT sum(a) FROM t.kept'), '3');
});
