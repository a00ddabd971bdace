import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { after, before, suite, test } from 'node:test';
import { ClickHouseError } from '@clickhouse/client';
import { ClickHouse } from '../../adapters/clickhouse.ts';
import { loadEnvironment } from '../../adapters/environment.ts';
import { TidegateError } from '../../core/errors.ts';
import { uniqueName } from './streamSupport.ts';

suite('the ClickHouse client', () => {
  const environment = loadEnvironment();
  const clickhouse = ClickHouse.from(environment);
  const database = uniqueName('adapter');
  const table = `${database}.t`;

  before(async () => {
    await clickhouse.command(`CREATE DATABASE ${database}`);
    await clickhouse.command(`CREATE TABLE ${table} (id UInt64, v String) ENGINE = MergeTree ORDER BY id`);
  });
  after(async () => {
    await clickhouse.command(`DROP DATABASE ${database} SYNC`);
    await clickhouse.close();
  });

  const countOf = async (from = table) =>
    Number((await clickhouse.rows<{ n: string }>(`SELECT count() AS n FROM ${from}`))[0]!.n);
  const is = (code: string) => (error: unknown) => error instanceof TidegateError && error.code === code;
  async function emptyTable(): Promise<string> {
    const name = `${database}.${uniqueName('t')}`;
    await clickhouse.command(`CREATE TABLE ${name} (id UInt64, v String) ENGINE = MergeTree ORDER BY id`);
    return name;
  }

  test('64-bit and wider integers arrive exactly, as texts', async () => {
    const rows = await clickhouse.rows(
      'SELECT toUInt64(18446744073709551615) AS a, toUInt128(1) AS b, toInt32(5) AS c',
    );
    assert.deepEqual(rows, [{ a: '18446744073709551615', b: '1', c: 5 }]);
  });

  test('values are bound as parameters', async () => {
    const params = { text: `it's \\ {"a"}\n`, number: '18446744073709551615' };
    const rows = await clickhouse.rows('SELECT {text:String} AS text, toString({number:UInt64}) AS number', { params });
    assert.deepEqual(rows, [params]);
  });

  test('bytes are inserted unchanged, from a buffer and from a stream', async () => {
    const into = await emptyTable();
    const body = Buffer.from('{"id":18446744073709551615,"v":"é\\n"}\n{"id":2,"v":"b"}\n');
    assert.equal((await clickhouse.insert({ into, format: 'JSONEachRow', body })).readRows, 2);
    const chunks = Readable.from([Buffer.from('3\ta\n4'), Buffer.from('\tb\n')]);
    const { readRows } = await clickhouse.insert({ into, columns: ['id', 'v'], format: 'TSV', body: chunks });
    assert.equal(readRows, 2);
    assert.deepEqual(await clickhouse.rows(`SELECT * FROM ${into} ORDER BY id`), [
      { id: '2', v: 'b' },
      { id: '3', v: 'a' },
      { id: '4', v: 'b' },
      { id: '18446744073709551615', v: 'é\n' },
    ]);
  });

  test('a settings object reaches the statement', async () => {
    const body = Buffer.from('{"id":1,"v":"a","extra":1}');
    const into = await emptyTable();
    const settings = { input_format_skip_unknown_fields: 0 };
    await assert.rejects(clickhouse.insert({ into, format: 'JSONEachRow', body, settings }), { code: '117' });
    await clickhouse.insert({ into, format: 'JSONEachRow', body, settings: { input_format_skip_unknown_fields: 1 } });
    assert.equal(await countOf(into), 1);
  });

  test("the engine's errors keep their code, type and message", async () => {
    await assert.rejects(clickhouse.command('SELECT * FROM no_such_table_at_all'), (error) => {
      assert(error instanceof ClickHouseError);
      assert.equal(error.code, '60');
      assert.equal(error.type, 'UNKNOWN_TABLE');
      return true;
    });
    await assert.rejects(clickhouse.rows(`SELECT throwIf(number = 3, 'on purpose') FROM numbers(5)`), { code: '395' });
  });

  test('a large body that is refused early still says why', async () => {
    const into = await emptyTable();
    const body = Readable.from(
      (function* () {
        yield Buffer.from('not a number\ta\n');
        for (let i = 0; i < 400; i++) yield Buffer.from('1\tabcdefgh\n'.repeat(10_000));
      })(),
    );
    await assert.rejects(clickhouse.insert({ into, format: 'TSV', body }), (error) => {
      assert(error instanceof ClickHouseError, String(error));
      assert.equal(error.code, '27');
      return true;
    });
    assert.equal(await countOf(into), 0);
  });

  test("an error of the body's stream is thrown as it is, and the rows are not taken for the end", async () => {
    const into = await emptyTable();
    const lost = new Error('the source went away');
    const body = Readable.from(
      (async function* () {
        for (let i = 0; i < 20; i++) yield Buffer.from(`${i}\tabc\n`);
        throw lost;
      })(),
    );
    await assert.rejects(clickhouse.insert({ into, format: 'TSV', body }), lost);
    assert.equal(await countOf(into), 0);
  });

  test('an aborted statement ends with the reason of its signal', async () => {
    const reason = new Error('enough');
    const controller = new AbortController();
    const running = clickhouse.rows('SELECT count() FROM numbers(1e13)', { signal: controller.signal });
    setTimeout(() => controller.abort(reason), 100);
    await assert.rejects(running, reason);
    await assert.rejects(clickhouse.rows('SELECT 1', { signal: controller.signal }), reason);
  });

  test('a wrong password is ACCESS_DENIED, and not in the message', async () => {
    const other = ClickHouse.from(environment.with({ CLICKHOUSE_PASSWORD: 'sesame-open' }));
    await assert.rejects(
      other.ping(),
      (error) => is('ACCESS_DENIED')(error) && !(error as TidegateError).line.includes('sesame'),
    );
    await other.close();
  });

  test('a server that does not answer is SERVICE_UNREACHABLE', async () => {
    const other = ClickHouse.from(environment.with({ CLICKHOUSE_URL: 'http://127.0.0.1:1' }));
    await assert.rejects(other.ping(), is('SERVICE_UNREACHABLE'));
    await assert.rejects(
      other.insert({ into: table, format: 'TSV', body: Buffer.from('1\ta\n') }),
      is('SERVICE_UNREACHABLE'),
    );
    await other.close();
  });

  test('many statements run side by side', async () => {
    const results = await Promise.all(
      Array.from({ length: 40 }, (_, n) => clickhouse.rows<{ n: number }>(`SELECT toInt32(${n}) AS n`)),
    );
    assert.deepEqual(
      results.flat().map(({ n }) => n),
      Array.from({ length: 40 }, (_, n) => n),
    );
  });
});
