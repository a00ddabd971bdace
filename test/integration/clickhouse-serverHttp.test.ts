import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { fails, TestServer, until, WRITER } from './clickhouse-serverSupport.ts';

/** INSERT INTO t.packed FORMAT TSV with 40 rows, as Python's lz4.frame compresses it. */
const LZ4_INSERT =
  'BCJNGGhAHgIAAAAAAAAizgAAAPceSU5TRVJUIElOVE8gdC5wYWNrZWQgRk9STUFUIFRTVgowCXNvbWUgdGV4dAoxDAAXMgwAFzMM' +
  'ABc0DAAXNQwAFzYMABc3DAAXOAwAFzkMABkxeQAIegAYMXsAGDF8ABgxfQAYMX4AGDF/ABgxgAAYMYEAGDGCABgyggAYMoIAGDKC' +
  'ABgyggAYMoIAGDKCABgyggAYMoIAGDKCABgyggAYM4IAGDOCABgzggAYM4IAGDOCABgzggAYM4IAGDOCABgzggATM4IAUHRleHQK' +
  'AAAAAA==';

let server: TestServer;

before(async () => {
  server = await TestServer.start();
});

after(() => server[Symbol.asyncDispose]());

describe('the HTTP interface', () => {
  test('answers health checks, GET, and SQL in URL and body', async () => {
    for (const path of ['/ping', '/']) assert.equal(await (await fetch(server.url + path)).text(), 'Ok.\n');
    const got = await fetch(`${server.url}/?query=SELECT%201&user=writer&password=w&query_id=mine&default_format=CSV`);
    assert.equal(await got.text(), '1\n');
    assert.equal(got.headers.get('x-clickhouse-query-id'), 'mine');
    assert.equal(got.headers.get('x-clickhouse-format'), 'CSV');
    const basic = { Authorization: `Basic ${Buffer.from('writer:w').toString('base64')}` };
    assert.equal(await (await fetch(server.url, { method: 'POST', body: 'SELECT 2', headers: basic })).text(), '2\n');
    assert.equal(
      (await fetch(`${server.url}/?query=SELECT%201&user=writer&password=x`)).headers.get(
        'x-clickhouse-exception-code',
      ),
      '516',
    );
    assert.match((await server.post('SELECT 1; DROP DATABASE t')).text, /^Code: 62\. /);
    assert.equal(
      (await server.post('SELECT {v:String} FORMAT Raw', { params: { param_v: "a\\tb'\\\\" } })).text,
      "a\tb'\\\n",
    );
  });

  test('keeps rows exact in every format that it writes and reads', async () => {
    await server.value('CREATE TABLE t.formats (a Int64, s String, n Nullable(Float64)) ENGINE = Memory');
    const rows =
      "SELECT number::Int64 AS a, concat(number::String, '\\n\\n;\\'\",\\t') AS s, if(number % 2, number / 4, NULL) AS n FROM numbers(70000)";
    for (const format of [
      'JSONEachRow',
      'JSONCompactEachRow',
      'JSON',
      'JSONCompact',
      'TabSeparated',
      'TabSeparatedWithNames',
      'TabSeparatedWithNamesAndTypes',
      'CSV',
      'CSVWithNames',
      'RowBinary',
      'RowBinaryWithNamesAndTypes',
      'Native',
      'Parquet',
      'Values',
    ]) {
      const result = await fetch(`${server.url}/?default_format=${format}`, {
        method: 'POST',
        body: rows,
        headers: WRITER,
      });
      const body = Buffer.from(await result.arrayBuffer());
      await server.value('TRUNCATE TABLE t.formats');
      const { summary, text } = await server.post(`INSERT INTO t.formats FORMAT ${format}`, { body });
      assert.equal(summary.read_rows, '70000', `${format}: ${text}`);
      assert.equal(await server.value(`SELECT count() FROM (SELECT * FROM t.formats EXCEPT ${rows})`), '0', format);
    }
  });

  test('counts the rows that the engine parsed, whatever the line ends', async () => {
    await server.value('CREATE TABLE t.landing (a Nullable(String)) ENGINE = Null');
    await server.value('CREATE TABLE t.target (a Int32) ENGINE = MergeTree ORDER BY a');
    await server.value(
      "CREATE MATERIALIZED VIEW t.view TO t.target AS SELECT accurateCast(a, 'Int32') AS a FROM t.landing",
    );
    const insert = 'INSERT INTO t.landing FORMAT JSONEachRow';
    assert.equal((await server.post(`${insert}\n{"a":1} {"a":2}\n\n{"a":3}`)).summary.read_rows, '3');
    assert.equal((await server.post(insert, { body: '{"a":4} {"a":5}\n\n{"a":"6"},{"a":7}' })).summary.read_rows, '4');
    assert.equal(
      (await server.post(insert, { body: gzipSync('{"a":8}'), headers: { 'Content-Encoding': 'gzip' } })).summary
        .read_rows,
      '1',
    );
    assert.equal(
      await server.value('SELECT groupArray(a) FROM (SELECT a FROM t.target ORDER BY a)'),
      '[1,2,3,4,5,6,7,8]',
    );
  });

  test('finds where the data of an INSERT begins', async () => {
    await server.value('CREATE TABLE t.`format` (`values` Int32, s String) ENGINE = Memory');
    const inserts: [string, string | undefined][] = [
      ["INSERT INTO t.format VALUES (1, 'a;b'), (2, 'FORMAT CSV')", undefined],
      [
        "insert into table t.`format` (s, `values`) -- it's\n settings max_threads=1 /* ' */ format CSV\nc,3\n",
        undefined,
      ],
      ['INSERT INTO t.format FORMAT Values', "(4, 'd')"],
      ['INSERT INTO t.format SETTINGS async_insert=1 FORMAT TabSeparated\n5\te', '6\tf\n'],
      ["INSERT INTO t.format SELECT a + 1, b FROM input('a Int32, b String') FORMAT JSONEachRow", '{"a":6,"b":"g"}'],
      ['INSERT INTO format VALUES', "(9, 'i')"],
      ["INSERT INTO t.format WITH 1 AS one SELECT 7 + one, 'h'", undefined],
    ];
    for (const [sql, body] of inserts) {
      const { status, text } = await server.post(sql, {
        params: { database: 't' },
        ...(body === undefined ? {} : { body }),
      });
      assert.equal(status, 200, `${sql}: ${text}`);
    }
    const rows = await server.value(
      "SELECT arrayStringConcat(groupArray(concat(`values`::String, s)), ' ') FROM (SELECT * FROM t.format ORDER BY `values`)",
    );
    assert.equal(rows, '1a;b 2FORMAT CSV 3c 4d 5e 6f 7g 8h 9i');
  });

  test("reads LZ4 frames, which Python's client sends", async () => {
    await server.value('CREATE TABLE t.packed (a Int32, b String) ENGINE = Memory');
    const frame = Buffer.from(LZ4_INSERT, 'base64');
    const send = (body: Buffer) =>
      fetch(server.url, { method: 'POST', body, headers: { ...WRITER, 'Content-Encoding': 'lz4' } });
    assert.equal((await send(frame)).status, 200);
    assert.equal((await send(frame.subarray(0, -9))).headers.get('x-clickhouse-exception-code'), '354');
    assert.equal(await server.value('SELECT count(), sum(a), any(b) FROM t.packed'), '40\t780\tsome text');
  });

  test('inserts nothing when the view or the parser fails at the last row', async () => {
    const good = Array.from({ length: 200_000 }, (_, i) => `{"a":"${i}"}`).join('\n');
    for (const bad of ['{"a":"3000000000"}', '{"a":"x"}', '{"a":']) {
      const { code } = await server.post('INSERT INTO t.landing FORMAT JSONEachRow', { body: `${good}\n${bad}` });
      assert.notEqual(code, null);
    }
    assert.equal(await server.value('SELECT count() FROM t.target'), '8');
  });

  for (const megabytes of [1, 40]) {
    test(`inserts nothing of ${megabytes} MB whose connection is cut`, async () => {
      await server.value(`CREATE OR REPLACE TABLE t.cut (s String) ENGINE = MergeTree ORDER BY tuple()`);
      const query = new URLSearchParams({ query: 'INSERT INTO t.cut FORMAT TSV', query_id: 'cut' });
      const upload = request(`${server.url}/?${query}`, { method: 'POST', headers: WRITER });
      upload.on('error', () => {});
      const line = Buffer.from(`${'x'.repeat(999)}\n`.repeat(1000));
      for (let i = 0; i < megabytes; i += 1) if (!upload.write(line)) await once(upload, 'drain');
      upload.destroy();
      await until(async () => (await server.post('SELECT 1', { params: { query_id: 'cut' } })).status === 200);
      assert.equal(await server.value('SELECT count() FROM t.cut'), '0');
    });
  }

  test('runs a small query beside heavy ones, and keeps settings apart', async () => {
    const heavy = new AbortController();
    const body = 'SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 7';
    const init = { method: 'POST', body, headers: WRITER, signal: heavy.signal };
    const held = Array.from({ length: 6 }, () => fetch(server.url, init).catch(() => {}));
    const running = () => server.value("SELECT count() FROM system.processes WHERE query LIKE '%sipHash%'");
    await until(async () => (await running()) === '7');
    const limited = await server.post("SELECT getSetting('max_threads'), getSetting('max_block_size')", {
      params: { max_threads: '1', max_block_size: '77' },
    });
    assert.equal(limited.text, '1\t77\n');
    assert.notEqual(await server.value("SELECT getSetting('max_block_size')"), '77');
    heavy.abort();
    await Promise.all(held);
    assert.equal((await server.post('SELECT 1', { params: { no_such_setting: '1' } })).code, '115');
    const wide = await server.post('INSERT INTO t.landing FORMAT JSONEachRow', {
      body: '{"a":1,"b":2}',
      params: { input_format_skip_unknown_fields: '0' },
    });
    assert.equal(wide.code, '117');
  });

  test('lets readonly users read only', async () => {
    for (const [name, password] of [
      ['reader', 'r'],
      ['dashboard', 'd'],
    ] as const) {
      const own = server.connect(name, password);
      assert.equal(await (await own.query({ query: 'SELECT 1', format: 'CSV' })).text(), '1\n');
      await assert.rejects(own.command({ query: 'DROP TABLE t.target' }), fails('164', 'READONLY'));
      await assert.rejects(
        own.insert({ table: 't.target', values: [[1]], format: 'JSONCompactEachRow' }),
        fails('164', 'READONLY'),
      );
      await assert.rejects(own.command({ query: 'SET readonly = 0' }), fails('164', 'READONLY'));
      const change = own.query({ query: 'SELECT 1', clickhouse_settings: { max_threads: 1 } });
      if (name === 'reader') await assert.rejects(change, fails('164', 'READONLY'));
      else await change;
      await own.close();
    }
    assert.equal(
      (await fetch(`${server.url}/?user=writer&password=w&query=DROP%20TABLE%20t.target`)).headers.get(
        'x-clickhouse-exception-code',
      ),
      '164',
    );
  });

  test('lets an account with grants do what they say, and nothing besides', async () => {
    for (const table of ['open', 'partly', 'closed']) {
      await server.post(`CREATE TABLE t.${table} (a Int8, b Int8) ENGINE = MergeTree ORDER BY a`);
      await server.post(`INSERT INTO t.${table} VALUES (1, 2)`);
    }
    await server.post('CREATE VIEW t.around AS SELECT * FROM t.closed');
    const as = async (name: string, sql: string) =>
      await server.post(sql, { headers: { 'X-ClickHouse-User': name, 'X-ClickHouse-Key': name[0]! } });
    assert.equal((await as('limited', 'SELECT a, b FROM t.open')).text, '1\t2\n');
    assert.equal((await as('limited', 'SELECT a FROM t.partly')).text, '1\n');
    for (const sql of [
      'SELECT b FROM t.partly',
      'SELECT a FROM t.closed',
      'SELECT a FROM t.around',
      'SELECT (SELECT max(a) FROM t.closed) FROM t.open',
      'SELECT a FROM t.open WHERE a IN t.closed',
      'INSERT INTO t.open VALUES (1, 2)',
      'INSERT INTO t.open SELECT 1, 2',
      'CREATE TABLE t.own (a Int8) ENGINE = Memory',
      "SELECT * FROM file('/etc/hostname', 'LineAsString')",
      "SELECT * FROM url('http://127.0.0.1:1', 'LineAsString')",
    ]) {
      assert.match((await as('limited', sql)).code ?? 'allowed', /^(497|164)$/, sql);
    }
    assert.equal((await as('limited', 'SET ROLE everything')).status, 200);
    assert.equal((await as('limited', 'SELECT a FROM t.closed')).code, '497');
    assert.equal((await as('nobody', 'SELECT a FROM t.open')).code, '497');
    assert.equal((await server.post('SELECT a FROM t.closed')).text, '1\n');
  });
});
