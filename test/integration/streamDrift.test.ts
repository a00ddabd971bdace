import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { findDrift, mayHaveHeld } from '../../activities/schemaDrift.ts';
import { recordSchemas } from '../../activities/schemaRecord.ts';
import { readCatalog } from '../../adapters/postgresCatalog.ts';
import { firstVersion } from '../../core/schemaVersion.ts';
import { VALUE_CASES } from '../scenarios/valuesCases.ts';
import { depsFor } from './streamSupport.ts';
import { TwoDatabases } from './typesSupport.ts';

suite('the comparison of a schema with the recorded one, before a message is called bad', () => {
  const types = [...new Set(VALUE_CASES.map(({ type }) => type))];
  let databases: TwoDatabases;
  let record: () => Promise<void>;
  let drift: () => Promise<string[]>;
  let mayHold: (columns: string[]) => Promise<boolean>;
  let end: () => Promise<void>;

  before(async () => {
    databases = await TwoDatabases.create();
    const columns = types.map((type, index) => `"Column ${index}" ${type}`);
    await databases.postgres.query(`
      CREATE EXTENSION hstore; CREATE EXTENSION citext;
      CREATE TYPE mood AS ENUM ('sad', 'so so', 'it''s "ok"');
      CREATE TYPE pair AS (a int, b text); CREATE DOMAIN positive AS int CHECK (VALUE > 0);
      CREATE TABLE wide (id int PRIMARY KEY, ${columns.join(', ')}); ALTER TABLE wide REPLICA IDENTITY FULL`);
    const input = { name: databases.name, source: 'DRIFT_URL', tables: { wide: {} } };
    const deps = depsFor(input, { DRIFT_URL: databases.url.href });
    const { pipeline } = deps;
    const [table] = pipeline.tables as [(typeof pipeline.tables)[0]];
    record = async () => {
      const version = firstVersion(await readCatalog(databases.postgres, table));
      await recordSchemas(deps.clickhouse, pipeline, { lsn: '0/1', tables: [{ table: 'wide', version, changes: [] }] });
    };
    drift = () => findDrift(deps, pipeline);
    mayHold = (columns) => mayHaveHeld(deps, pipeline, { table, columns });
    end = () => deps.clickhouse.close();
  });
  after(async () => {
    await end?.();
    await databases?.drop();
  });

  test('finds no drift, and calls no message foreign, before anything is recorded', async () => {
    assert.deepEqual(await drift(), []);
    assert.equal(await mayHold(['unknown']), true);
  });

  test('finds no drift in columns of every type', async () => {
    await record();
    assert.deepEqual(await drift(), []);
  });

  for (const [what, change] of [
    ['a type that has been widened', 'ALTER id TYPE bigint'],
    ['a column that was added', 'ADD added text'],
    ['a column that was dropped', 'DROP "Column 3"'],
    ['a column that was renamed', 'RENAME added TO "Added"'],
  ] as const) {
    test(`finds ${what}`, async () => {
      await databases.postgres.query(`ALTER TABLE wide ${change}`);
      assert.deepEqual(await drift(), ['wide']);
      await record();
      assert.deepEqual(await drift(), []);
    });
  }

  test('takes columns that the table has, or once had, for its own, and no others', async () => {
    const names = types.map((_, index) => `Column ${index}`);
    const without3 = names.filter((name) => name !== 'Column 3');
    assert.equal(await mayHold(['id', ...names]), true);
    assert.equal(await mayHold(['id', ...without3, 'Added']), true);
    assert.equal(await mayHold(['unknown']), false);
    assert.equal(await mayHold(['id', ...without3.slice(1), 'unknown']), false);
  });
});
