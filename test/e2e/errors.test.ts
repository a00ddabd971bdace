import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import pg from 'pg';
import { Home } from './command.ts';

/** Whatever is wrong, a person gets one clear line on stderr with what to do, and exit code 1. */
describe('bad input', { concurrency: false }, () => {
  const home = new Home();
  let settings: Record<string, string> = {};

  before(async () => {
    await home.startUntil('npm run --silent stack -- --ports auto --only postgres,clickhouse,kafka', 'Ctrl-C stops');
    const admin = new pg.Client({ connectionString: home.settings()['POSTGRES_URL'] as string });
    await admin.connect();
    await admin.query('CREATE DATABASE bad');
    await admin.end();
    const url = new URL(home.settings()['POSTGRES_URL'] as string);
    url.pathname = '/bad';
    const owner = new pg.Client({ connectionString: url.href });
    await owner.connect();
    await owner.query('CREATE TABLE keyless (a int); CREATE TABLE keyed (id int PRIMARY KEY, point point)');
    await owner.query("CREATE ROLE plain LOGIN PASSWORD 'plain'; CREATE TABLE secret (id int PRIMARY KEY)");
    await owner.end();
    settings = { BAD_DATABASE_URL: url.href, TIDEGATE_PIPELINES: join(home.path, 'definitions') };
  });

  after(() => home[Symbol.asyncDispose]());

  const define = (definition: string): void => {
    const folder = join(home.path, 'definitions', 'bad');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'pipeline.ts'), `export default ${definition};\n`);
  };

  const fails = async (line: string, expected: RegExp, extra: Record<string, string> = {}): Promise<void> => {
    const { code, stdout, stderr } = await home.run(line, { ...settings, ...extra });
    assert.equal(code, 1, stdout + stderr);
    assert.match(stderr, expected);
    assert.equal(stderr.trim().split('\n').length, 1, stderr);
  };

  test('a table without a key, with the SQL that mends it', async () => {
    define("{ name: 'bad', source: 'BAD_DATABASE_URL', tables: { keyless: {} } }");
    const { code, stdout } = await home.run('npx tidegate plan bad', settings);
    assert.equal(code, 1);
    assert.match(stdout, /! postgres +table keyless: .*ALTER TABLE .*keyless.* ADD PRIMARY KEY/);
    await fails('npx tidegate apply bad', /^tidegate: table keyless is not ready.*ADD PRIMARY KEY/);
  });

  test('a table that does not exist', async () => {
    define("{ name: 'bad', source: 'BAD_DATABASE_URL', tables: { missing: {} } }");
    await fails('npx tidegate apply bad', /^tidegate: table missing is not ready.*missing/);
  });

  test('a role that may neither read nor replicate, with the grants', async () => {
    define("{ name: 'bad', source: 'BAD_DATABASE_URL', tables: { secret: {} } }");
    const url = new URL(settings['BAD_DATABASE_URL'] as string);
    Object.assign(url, { username: 'plain', password: 'plain' });
    const { code, stdout } = await home.run('npx tidegate plan bad', { ...settings, BAD_DATABASE_URL: url.href });
    assert.equal(code, 1);
    assert.match(stdout, /GRANT SELECT ON "public"\."secret" TO "plain"/);
    assert.match(stdout, /ALTER ROLE "plain" REPLICATION/);
  });

  test('a definition that does not validate', async () => {
    define("{ name: 'bad', source: 'BAD_DATABASE_URL', tables: { keyed: { mode: 'stream' } } }");
    await fails('npx tidegate plan bad', /^tidegate: .*pipeline\.ts is not a valid pipeline: .*mode/);
  });

  test('a definition that does not load', async () => {
    define('{ name: ');
    try {
      await fails('npx tidegate plan bad', /^tidegate: .*pipeline\.ts does not load/);
    } finally {
      define("{ name: 'bad', source: 'BAD_DATABASE_URL', tables: { keyed: {} } }");
    }
  });

  test('an unknown pipeline and an unknown table', async () => {
    await fails('npx tidegate plan nothing', /^tidegate: there is no pipeline 'nothing'\. There are: .*wms/);
    await fails('npm run --silent trigger -- load wms.nothing', /^tidegate: pipeline 'wms' has no table 'nothing'/);
    await fails('npm start --silent -- --only nothing', /^tidegate: .*there is no pipeline 'nothing'/);
  });

  test('a wrong password, which is not repeated', async () => {
    const url = new URL(settings['BAD_DATABASE_URL'] as string);
    url.password = 'guessed-wrong';
    const { code, stderr } = await home.run('npx tidegate plan bad', { ...settings, BAD_DATABASE_URL: url.href });
    assert.equal(code, 1);
    assert.match(stderr, /^tidegate: .*(password|refused)/i);
    assert.doesNotMatch(stderr, /guessed-wrong/);
    await fails('npx tidegate plan bad', /^tidegate: .*ClickHouse.*/, { CLICKHOUSE_PASSWORD: 'guessed-wrong' });
  });

  test('services that do not answer', async () => {
    const closed = 'http://127.0.0.1:9';
    await fails('npx tidegate plan bad', /^tidegate: .*ClickHouse.*127\.0\.0\.1:9/, { CLICKHOUSE_URL: closed });
    await fails('npx tidegate plan bad', /^tidegate: .*Kafka.*127\.0\.0\.1:9/, { KAFKA_BROKERS: '127.0.0.1:9' });
    await fails('npx tidegate status', /^tidegate: .*Temporal.*127\.0\.0\.1:9/, { TEMPORAL_ADDRESS: '127.0.0.1:9' });
    const url = 'postgres://nobody@127.0.0.1:9/bad';
    await fails('npx tidegate plan bad', /^tidegate: .*PostgreSQL.*127\.0\.0\.1:9/, { BAD_DATABASE_URL: url });
  });

  test('a setting that is missing', async () => {
    define("{ name: 'bad', source: 'UNSET_DATABASE_URL', tables: { keyed: {} } }");
    await fails('npx tidegate plan bad', /^tidegate: UNSET_DATABASE_URL is not set/);
  });

  test('a busy port, with the way around it', async () => {
    await using other = new Home();
    const server = createServer().listen(15_432, '127.0.0.1');
    // Somebody else may hold the port, which is just as well.
    await once(server, 'listening').catch(() => undefined);
    const { code, stderr } = await other.run('npm start --silent -- --only wms');
    server.close();
    assert.equal(code, 1);
    assert.match(stderr, /^tidegate: .*15432.*--ports auto/);
    assert.equal(stderr.trim().split('\n').length, 1, stderr);
  });
});
