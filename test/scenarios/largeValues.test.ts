import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { DeadLetters } from '../../activities/deadLetters.ts';
import { UNAVAILABLE_UUID, UNAVAILABLE_VALUE } from '../../core/connectorConfig.ts';
import { Scenario } from './harness.ts';

const BIG = "(SELECT string_agg(md5(i || '/' || j), '') FROM generate_series(1, 300) j)";

/** Equal, and nothing was set aside for it. */
async function assertAllLanded(scenario: Scenario): Promise<void> {
  await scenario.assertEqual();
  const letters = await new DeadLetters(scenario.clickhouse, scenario.pipeline).find({});
  assert.deepEqual(
    letters.map(({ reason, value }) => `${reason}: ${value}`),
    [],
  );
}

suite('updates that leave large values alone', () => {
  test('of rows that are gone or have moved before they are read back', async () => {
    await using scenario = await Scenario.open({
      ...{ label: 'gone', tables: ['large'] },
      ddl: `CREATE TABLE large (id int PRIMARY KEY, n int, body text, doc jsonb, tags text[], raw bytea, ids uuid[], counts int[]);
        INSERT INTO large SELECT i, 0, ${BIG}, to_jsonb(${BIG}), ARRAY[${BIG}], convert_to(${BIG}, 'UTF8'),
          (SELECT array_agg(md5(i || '/' || j)::uuid) FROM generate_series(1, 300) j),
          (SELECT array_agg(j * 1000003 % 999331) FROM generate_series(1, 2000) j) FROM generate_series(1, 60) i`,
    });
    await scenario.sql('UPDATE large SET n = n + 1; DELETE FROM large WHERE id <= 20');
    await scenario.sql('UPDATE large SET n = n + 1; UPDATE large SET id = id + 1000 WHERE id BETWEEN 21 AND 30');
    await scenario.sql(
      'UPDATE large SET n = n + 1; UPDATE large SET body = NULL, doc = NULL, tags = NULL, raw = NULL WHERE id BETWEEN 31 AND 40',
    );
    await scenario.sql('UPDATE large SET n = n + 1; DELETE FROM large WHERE id > 50 AND id < 100');
    await scenario.sql('UPDATE large SET n = n + 1; TRUNCATE large; INSERT INTO large VALUES (41, 7)');
    await assertAllLanded(scenario);
  });

  test('by the thousand, of rows that are gone, moved, inserted again or still there', async () => {
    await using scenario = await Scenario.open({
      ...{ label: 'many', tables: ['large', 'parts'] },
      ddl: `CREATE TABLE large (a text, b timestamptz, n int, "the body" text, PRIMARY KEY (b, a));
        INSERT INTO large SELECT 'k''"' || i, '2020-01-01'::timestamptz + i * interval '1 s', 0, ${BIG} FROM generate_series(1, 800) i;
        CREATE TABLE parts (id bigint NOT NULL, n int, body text) PARTITION BY RANGE (id);
        CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (1) TO (1000);
        CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (1000) TO (9223372036854775807);
        CREATE UNIQUE INDEX by_id ON parts (id); CREATE UNIQUE INDEX one ON parts_1 (id); CREATE UNIQUE INDEX two ON parts_2 (id);
        ALTER TABLE parts_1 REPLICA IDENTITY USING INDEX one; ALTER TABLE parts_2 REPLICA IDENTITY USING INDEX two;
        ALTER TABLE parts REPLICA IDENTITY USING INDEX by_id;
        INSERT INTO parts SELECT i, 0, ${BIG} FROM generate_series(900, 1100) i`,
    });
    await scenario.sql('UPDATE large SET n = n + 1; DELETE FROM large WHERE n = 1');
    await scenario.sql(`
      INSERT INTO large SELECT 'k''"' || i, '2020-01-01'::timestamptz + i * interval '1 s', 0, ${BIG} FROM generate_series(1, 600) i;
      UPDATE large SET n = n + 1; UPDATE large SET a = a || '+' WHERE a LIKE '%1'; DELETE FROM large WHERE a LIKE '%3'`);
    await scenario.sql(`UPDATE large SET n = n + 1; DELETE FROM large WHERE a LIKE '%5';
      INSERT INTO large SELECT 'k''"' || i, '2020-01-01'::timestamptz + i * interval '1 s', -1, ${BIG} FROM generate_series(5, 600, 10) i`);
    await scenario.sql('UPDATE parts SET n = n + 1; UPDATE parts SET id = id + 300 WHERE id > 1050');
    await scenario.sql('UPDATE parts SET id = id + 10000, n = n + 1; DELETE FROM parts WHERE id % 2 = 0');
    await assertAllLanded(scenario);
  });

  test('of a column that is renamed or dropped before they are read back', async () => {
    await using scenario = await Scenario.open({
      ...{ label: 'named', tables: ['large'] },
      ddl: `CREATE TABLE large (id int PRIMARY KEY, n int, body text, other text);
        INSERT INTO large SELECT i, 0, ${BIG}, ${BIG} FROM generate_series(1, 60) i`,
    });
    await scenario.sql(
      `UPDATE large SET n = 1; ALTER TABLE large RENAME COLUMN body TO "das Große"; UPDATE large SET n = 2 WHERE id < 30`,
    );
    await scenario.sql(
      `UPDATE large SET n = 3 WHERE id > 20; ALTER TABLE large DROP COLUMN other; UPDATE large SET n = 4 WHERE id > 40`,
    );
    await assertAllLanded(scenario);
  });

  test('and values that are what stands for such a value arrive as they are', async () => {
    const text = `'${UNAVAILABLE_VALUE}'`;
    const row = `${text}, ARRAY[${text}], '${JSON.stringify([...Buffer.from(UNAVAILABLE_VALUE)])
      .replace('[', '{')
      .replace(']', '}')}'::int[],
      ARRAY['${UNAVAILABLE_UUID}'::uuid], to_jsonb(${text}::text), '__debezium_unavailable_value'`;
    const columns = 'body text, tags text[], counts int[], ids uuid[], doc jsonb, other text';
    await using scenario = await Scenario.open({
      ...{ label: 'mark', tables: { keyed: {}, full: {}, keyless: { duplicates: 'collapse' } } },
      ddl: `CREATE TABLE keyed (id int PRIMARY KEY, ${columns}); CREATE TABLE "full" (id int PRIMARY KEY, ${columns});
        CREATE TABLE keyless (id int, ${columns}); ALTER TABLE keyless REPLICA IDENTITY FULL; ALTER TABLE "full" REPLICA IDENTITY FULL;
        INSERT INTO keyed SELECT 1, ${row}; INSERT INTO "full" SELECT 1, ${row}; INSERT INTO keyless SELECT 1, ${row}`,
    });
    for (const table of ['keyed', '"full"', 'keyless']) {
      await scenario.sql(`INSERT INTO ${table} SELECT i, ${row} FROM generate_series(2, 50) i;
        UPDATE ${table} SET other = 'changed' WHERE id < 30; DELETE FROM ${table} WHERE id % 7 = 0`);
    }
    await assertAllLanded(scenario);
  });
});
