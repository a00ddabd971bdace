import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { pgIdentifier } from '../../core/identifiers.ts';
import { TYPE_CASES } from './typesCases.ts';
import { envelope, TwoDatabases } from './typesSupport.ts';

suite('values arrive exactly, by COPY and by Debezium', () => {
  let databases: TwoDatabases;

  before(async () => {
    databases = await TwoDatabases.create();
    await databases.postgres.query(`
      CREATE EXTENSION hstore; CREATE EXTENSION citext;
      CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TYPE pair AS (a int, b text)`);
  });
  after(() => databases.drop());

  for (const { type, values } of TYPE_CASES) {
    test(type, async () => {
      const table = `values of ${type}`;
      const name = pgIdentifier(table);
      await databases.postgres.query(`CREATE TABLE ${name} (id int PRIMARY KEY, v ${type});
        ALTER TABLE ${name} REPLICA IDENTITY FULL`);
      const all = [...values, ['NULL', 'null'] as const];
      const rows = all.map(([sql], id) => `(${id}, ${sql})`);
      await databases.postgres.query(`INSERT INTO ${name} VALUES ${rows.join(', ')}`);

      const copied = await databases.shape(table, { target: `copied ${type}` });
      await databases.createTarget(copied);
      assert.equal(await databases.copy(copied), all.length);
      const streamed = await databases.shape(table, { target: `streamed ${type}` });
      await databases.createTarget(streamed);
      const messages = all.map(([, json], id) => envelope('c', { after: { id: String(id), v: json } }));
      assert.equal(await databases.land(streamed, messages), all.length);

      assert.deepEqual(await databases.currentRows(streamed), await databases.currentRows(copied));
      for (const shape of [copied, streamed]) {
        const { source, target } = await databases.summaries(shape);
        assert.deepEqual(target, source, shape.table.target);
      }
    });
  }
});
