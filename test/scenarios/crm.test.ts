import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { chTable } from '../../core/identifiers.ts';
import definition from '../../pipelines/crm/pipeline.ts';
import { Scenario } from './harness.ts';

/** The view's own SQL, which PostgreSQL runs as well, over views of the same names. */
const SQL = readFileSync(new URL('../../pipelines/crm/marts/crm_data_mart.sql', import.meta.url), 'utf8');
const TABLES = readFileSync(new URL('../../pipelines/crm/source.sql', import.meta.url), 'utf8').match(
  /CREATE TABLE IF NOT EXISTS[^;]*;/g,
)!;

test('a rename, a changed model, another wearer, a deleted prosthesis and a deleted user reach crm_data_mart', async () => {
  await using scenario = await Scenario.open({
    label: 'crm',
    ddl: `${TABLES.join('\n')}
      CREATE VIEW users_current AS SELECT * FROM users;
      CREATE VIEW prostheses_current AS SELECT * FROM prostheses;
      INSERT INTO users VALUES (1, 'ada@example.org', 'Ada'), (2, 'bo@example.org', 'Bo'), (3, 'cy@example.org', 'Cy');
      INSERT INTO prostheses VALUES (11, 1, 'Nova Hand S1', '2024-02-29'), (12, 1, 'Grip Pro 4', '2025-01-01'),
        (13, NULL, 'Aria Wrist', '2023-05-05'), (14, 2, 'Grip Pro 5', '2025-06-01')`,
    tables: definition.tables!,
  });
  const { clickhouse, pipeline, source } = scenario;
  const { database } = pipeline;
  const name = 'crm_data_mart';
  await clickhouse.command(`CREATE VIEW ${chTable({ database, name })} AS ${SQL}`, { settings: { database } });
  const columns =
    'user_id, user_email, user_name, prosthesis_id, prosthesis_model, CAST(manufacture_date AS varchar(10)) AS made';
  const order = 'ORDER BY user_id, prosthesis_id NULLS LAST';
  const asserted = async (what: string, settings = {}) => {
    await scenario.waitUntilCaughtUp();
    const { rows: wanted } = await source.admin.query(`SELECT ${columns} FROM (${SQL}) AS mart ${order}`);
    const select = `SELECT ${columns.replace('varchar(10)', 'Nullable(String)')} FROM ${chTable({ database, name })} ${order}`;
    assert.deepEqual(await clickhouse.rows(select, { settings }), wanted, what);
    return wanted;
  };
  assert.equal((await asserted('after the snapshot')).length, 4);
  for (const [what, sql] of [
    ['a rename', "UPDATE users SET user_name = 'Ada L.', user_email = 'ada.l@example.org' WHERE user_id = 1"],
    ['another model', "UPDATE prostheses SET prosthesis_model = 'Atlas Arm X' WHERE prosthesis_id = 12"],
    ['another wearer', 'UPDATE prostheses SET user_id = 3 WHERE prosthesis_id = 14'],
    ['a prosthesis that nobody wears any more', 'UPDATE prostheses SET user_id = NULL WHERE prosthesis_id = 11'],
    ['a deleted prosthesis', 'DELETE FROM prostheses WHERE prosthesis_id = 12'],
    ['a deleted user', 'DELETE FROM users WHERE user_id = 3'],
    [
      'both sides in one transaction',
      `INSERT INTO users VALUES (4, 'di@example.org', 'Di');
       UPDATE prostheses SET user_id = 4`,
    ],
  ] as const) {
    await scenario.sql(sql);
    await asserted(what);
    await asserted(`${what}, for a reader whose joins yield NULL`, { join_use_nulls: 1 });
  }
  assert.equal((await asserted('at last')).length, 5);
});
