import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import type pg from 'pg';
import { loadEnvironment } from '../../adapters/environment.ts';
import { connectPostgres, readSourceTable } from '../../adapters/postgres.ts';
import { TidegateError } from '../../core/errors.ts';
import { uniqueName } from './streamSupport.ts';

suite('the PostgreSQL client', () => {
  const admin = loadEnvironment().url('POSTGRES_URL');
  const name = uniqueName('adapter');
  const url = new URL(admin);
  url.pathname = `/${name}`;
  let client: pg.Client;
  const connect = (to: URL, replication = false) =>
    connectPostgres(to, { applicationName: 'adapter test', replication });

  before(async () => {
    const server = await connect(admin);
    await server.query(`CREATE DATABASE ${name}`);
    await server.query(`ALTER DATABASE ${name} SET TimeZone = 'Asia/Tokyo'`);
    await server.query(`ALTER DATABASE ${name} SET DateStyle = 'German'`);
    await server.end();
    client = await connect(url);
  });
  after(async () => {
    await client.end();
    const server = await connect(admin);
    await server.query(`DROP DATABASE ${name} WITH (FORCE)`);
    await server.end();
  });

  test('values are written alike, whatever the database has set', async () => {
    const { rows } = await client.query(
      `SELECT timestamptz '2020-01-01 00:00:00Z'::text AS t, '\\xab'::bytea::text AS b, 0.1::float8::text AS f`,
    );
    assert.deepEqual(rows, [{ t: '2020-01-01 00:00:00+00', b: '\\xab', f: '0.1' }]);
  });

  test('a replication session understands replication commands and SQL', async () => {
    const session = await connect(url, true);
    assert.equal((await session.query('IDENTIFY_SYSTEM')).rows[0].dbname, name);
    assert.equal((await session.query('SHOW TimeZone')).rows[0].TimeZone, 'UTC');
    await session.end();
  });

  test('a session that the server ends fails its next query, and not the process', async () => {
    const session = await connect(url);
    const { rows } = await session.query('SELECT pg_backend_pid() AS pid');
    const ended = new Promise((resolve) => session.once('end', resolve));
    await client.query('SELECT pg_terminate_backend($1)', [rows[0].pid]);
    await ended;
    await assert.rejects(session.query('SELECT 1'));
  });

  const wrong = (change: (url: URL) => void) => {
    const other = new URL(url);
    change(other);
    return other;
  };
  for (const [what, code, other] of [
    ['a wrong password', 'ACCESS_DENIED', wrong((to) => (to.password = 'sesame-open'))],
    ['an unknown user', 'ACCESS_DENIED', wrong((to) => (to.username = 'nobody_at_all'))],
    ['an unknown database', 'SOURCE_NOT_READY', wrong((to) => (to.pathname = '/nothing_at_all'))],
    ['a server that does not answer', 'SERVICE_UNREACHABLE', wrong((to) => (to.port = '1'))],
  ] as const) {
    test(`${what} is ${code}, without the password in the message`, async () => {
      await assert.rejects(connect(other), (error) => {
        assert(error instanceof TidegateError);
        assert.equal(error.code, code);
        assert.ok(!error.line.includes('sesame') && !error.line.includes(decodeURIComponent(url.password)), error.line);
        return true;
      });
    });
  }

  test('a table that is not there is SOURCE_NOT_READY', async () => {
    await assert.rejects(readSourceTable(client, { schema: 'public', name: 'Missing' }), { code: 'SOURCE_NOT_READY' });
  });

  test('a table is described as the catalog has it, domains down to their base type', async () => {
    await client.query(`
      CREATE DOMAIN amount AS numeric(7,3); CREATE DOMAIN price AS amount NOT NULL; CREATE DOMAIN label AS text;
      CREATE TYPE mood AS ENUM ('ok');
      CREATE SCHEMA "Odd Schema";
      CREATE TABLE "Odd Schema"."a.b" (gone int, id bigint, part int, p price DEFAULT 1.5, l label, m mood NOT NULL, tags varchar(5)[],
        twice bigint GENERATED ALWAYS AS (id * 2) STORED, "Ünï" int, PRIMARY KEY (part, id) INCLUDE (l));
      ALTER TABLE "Odd Schema"."a.b" DROP COLUMN gone;
      ALTER TABLE "Odd Schema"."a.b" REPLICA IDENTITY FULL;
      INSERT INTO "Odd Schema"."a.b" (id, part, m) SELECT g, 1, 'ok' FROM generate_series(1, 1000) g; ANALYZE "Odd Schema"."a.b"`);
    const { columns, oid, ...table } = await readSourceTable(client, { schema: 'Odd Schema', name: 'a.b' });
    assert.ok(Number.isInteger(oid) && oid > 0);
    assert.deepEqual(table, {
      ...{
        schema: 'Odd Schema',
        name: 'a.b',
        kind: 'r',
        primaryKey: ['part', 'id'],
        replicaIdentity: 'f',
        identityIndex: [],
      },
      ...{ deferrableKey: null, unlogged: false, rowSecurity: false, estimatedRows: 1000, pages: table.pages },
    });
    assert.ok(table.pages > 0);
    const plain = { dimensions: 0, notNull: false, generated: false, default: null };
    assert.deepEqual(columns, [
      {
        ...plain,
        name: 'id',
        attnum: 2,
        type: 'bigint',
        typeName: 'int8',
        typeKind: 'b',
        typeCategory: 'N',
        notNull: true,
      },
      {
        ...plain,
        name: 'part',
        attnum: 3,
        type: 'integer',
        typeName: 'int4',
        typeKind: 'b',
        typeCategory: 'N',
        notNull: true,
      },
      {
        ...plain,
        name: 'p',
        attnum: 4,
        type: 'numeric(7,3)',
        typeName: 'numeric',
        typeKind: 'b',
        typeCategory: 'N',
        notNull: true,
        default: '1.5',
      },
      { ...plain, name: 'l', attnum: 5, type: 'text', typeName: 'text', typeKind: 'b', typeCategory: 'S' },
      {
        ...plain,
        name: 'm',
        attnum: 6,
        type: 'mood',
        typeName: 'mood',
        typeKind: 'e',
        typeCategory: 'E',
        notNull: true,
      },
      {
        ...plain,
        name: 'tags',
        attnum: 7,
        type: 'character varying(5)[]',
        typeName: '_varchar',
        typeKind: 'b',
        typeCategory: 'A',
        dimensions: 1,
      },
      {
        ...plain,
        name: 'twice',
        attnum: 8,
        type: 'bigint',
        typeName: 'int8',
        typeKind: 'b',
        typeCategory: 'N',
        generated: true,
        default: '(id * 2)',
      },
      { ...plain, name: 'Ünï', attnum: 9, type: 'integer', typeName: 'int4', typeKind: 'b', typeCategory: 'N' },
    ]);
  });

  test('a partitioned table counts the rows of its parts, and has no pages of its own', async () => {
    await client.query(`
      CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id);
      CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100);
      CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (100) TO (200);
      INSERT INTO parts SELECT generate_series(0, 149); ANALYZE parts_1; ANALYZE parts_2`);
    const { kind, estimatedRows, pages } = await readSourceTable(client, { schema: 'public', name: 'parts' });
    assert.deepEqual({ kind, estimatedRows, pages }, { kind: 'p', estimatedRows: 150, pages: 0 });
  });
});
