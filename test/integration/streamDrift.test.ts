import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { checkDrift } from '../../activities/runStreamDrift.ts';
import { streamDdl } from '../../core/ddl.ts';
import { VALUE_CASES } from '../scenarios/valuesCases.ts';
import { depsFor } from './streamSupport.ts';
import { TwoDatabases } from './typesSupport.ts';

suite('the comparison of a target with its source, before a message is called bad', () => {
  let databases: TwoDatabases;
  let check: () => Promise<void>;
  let end: () => Promise<void>;

  before(async () => {
    databases = await TwoDatabases.create();
    const types = [...new Set(VALUE_CASES.map(({ type }) => type))];
    const columns = types.map((type, index) => `"Column ${index}" ${type}`);
    await databases.postgres.query(`
      CREATE EXTENSION hstore; CREATE EXTENSION citext;
      CREATE TYPE mood AS ENUM ('sad', 'so so', 'it''s "ok"');
      CREATE TYPE pair AS (a int, b text); CREATE DOMAIN positive AS int CHECK (VALUE > 0);
      CREATE TABLE wide (id int PRIMARY KEY, ${columns.join(', ')}); ALTER TABLE wide REPLICA IDENTITY FULL`);
    for (const sql of streamDdl(await databases.shape('wide'))) await databases.clickhouse.command(sql);
    const input = { name: databases.name, source: 'DRIFT_URL', tables: { wide: {} } };
    const deps = depsFor(input, { DRIFT_URL: databases.url.href });
    const { pipeline } = deps;
    check = () => checkDrift(deps, { pipeline, table: pipeline.tables[0]! });
    end = () => deps.clickhouse.close();
  });
  after(async () => {
    await end?.();
    await databases?.drop();
  });

  test('finds no drift in columns of every type', () => check());

  test('finds a type that has been widened, and a column that was added', async () => {
    await databases.postgres.query('ALTER TABLE wide ALTER id TYPE bigint, ADD added text');
    await assert.rejects(check(), { code: 'SCHEMA_DRIFT', message: /wide changed at the source: id, added$/ });
  });
});
