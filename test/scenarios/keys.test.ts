import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { readSourceTable } from '../../adapters/postgres.ts';
import { verifySql } from '../../core/canonical.ts';
import { streamTables } from '../../core/definition.ts';
import { Scenario } from './harness.ts';

const collapse = { duplicates: 'collapse' } as const;

suite('keys of every kind: source and target are equal after', () => {
  let scenario: Scenario;

  before(async () => {
    scenario = await Scenario.open({
      label: 'key',
      tables: {
        ...{ bare: collapse, bare_unique: collapse, bare_large: collapse },
        ...{ by_index: {}, beside_key: {}, full_key: {}, moved: {}, emptied: {}, parent_of: {}, child_of: {} },
        ...{ parts: {}, busy: {} },
      },
      ddl: `
        CREATE TABLE bare (a int, b text, n numeric, at timestamptz, doc jsonb);
        ALTER TABLE bare REPLICA IDENTITY FULL;
        INSERT INTO bare SELECT i, nullif('v' || i % 3, 'v0'), i / 8.0, '2024-01-01Z', '{"a": 1}' FROM generate_series(1, 200) i;
        INSERT INTO bare VALUES (NULL, NULL, NULL, NULL, NULL), (7, 'twice', 1, NULL, NULL), (7, 'twice', 1, NULL, NULL);
        CREATE TABLE bare_unique (id int, other int UNIQUE, v text);
        ALTER TABLE bare_unique REPLICA IDENTITY FULL;
        INSERT INTO bare_unique SELECT i, nullif(i % 50, 0) * 1000 + i, 'v' FROM generate_series(1, 100) i;
        CREATE TABLE bare_large (n int, body text, tags text[], raw bytea);
        ALTER TABLE bare_large REPLICA IDENTITY FULL;
        CREATE TABLE by_index (a int NOT NULL, b text NOT NULL, other int UNIQUE, v text);
        CREATE UNIQUE INDEX by_index_ab ON by_index (b, a) INCLUDE (v);
        ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_index_ab;
        INSERT INTO by_index SELECT i, 'b' || i % 5, i, 'v' FROM generate_series(1, 100) i;
        CREATE TABLE beside_key (id int PRIMARY KEY, code text NOT NULL, v text);
        CREATE UNIQUE INDEX beside_key_code ON beside_key (code);
        ALTER TABLE beside_key REPLICA IDENTITY USING INDEX beside_key_code;
        INSERT INTO beside_key SELECT i, 'c' || i, 'v' FROM generate_series(1, 100) i;
        CREATE TABLE full_key (id int PRIMARY KEY, v text);
        ALTER TABLE full_key REPLICA IDENTITY FULL;
        INSERT INTO full_key SELECT i, 'v' FROM generate_series(1, 100) i;
        CREATE TABLE moved (a int, b text, v text, PRIMARY KEY (b, a));
        INSERT INTO moved SELECT i, 'b' || i % 5, 'v' FROM generate_series(1, 100) i;
        CREATE TABLE emptied (id int PRIMARY KEY, v text);
        INSERT INTO emptied SELECT i, 'copied' FROM generate_series(1, 100) i;
        CREATE TABLE parent_of (id int PRIMARY KEY, v text);
        CREATE TABLE child_of (id int PRIMARY KEY, parent int REFERENCES parent_of);
        INSERT INTO parent_of SELECT i, 'copied' FROM generate_series(1, 50) i;
        INSERT INTO child_of SELECT i, i FROM generate_series(1, 50) i;
        CREATE TABLE parts (id int, day date, v text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
        CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2024-01-01') TO ('2024-07-01');
        CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM ('2024-07-01') TO ('2025-01-01') PARTITION BY RANGE (day);
        CREATE TABLE parts_2a PARTITION OF parts_2 FOR VALUES FROM ('2024-07-01') TO ('2024-10-01');
        CREATE TABLE parts_2b PARTITION OF parts_2 FOR VALUES FROM ('2024-10-01') TO ('2025-01-01');
        INSERT INTO parts SELECT i, date '2024-01-01' + i, 'p' FROM generate_series(0, 365) i;
        CREATE TABLE busy (id int PRIMARY KEY, v text)`,
    });
  });
  after(() => scenario[Symbol.asyncDispose]());

  /** What `tidegate verify` compares. */
  async function assertVerified(name: string): Promise<void> {
    const table = streamTables(scenario.pipeline).find((each) => each.name === name)!;
    const source = await readSourceTable(scenario.source.admin, table);
    const sql = verifySql({ database: scenario.pipeline.database, table, source });
    const { rows } = await scenario.source.admin.query(sql.postgres.summary);
    assert.deepEqual(await scenario.clickhouse.rows(sql.clickhouse.summary), rows);
  }

  test('changes of a table without a key, as rows that count once', async () => {
    await assertVerified('bare');
    await scenario.sql("UPDATE bare SET b = 'x' WHERE a % 7 = 0; DELETE FROM bare WHERE a % 11 = 0");
    await scenario.sql('UPDATE bare SET n = n + 1000.50, doc = doc || \'{"b": null}\' WHERE a % 5 = 0');
    await scenario.sql('UPDATE bare SET n = 1 WHERE a IS NULL; UPDATE bare SET a = a WHERE a = 1');
    await scenario.sql(
      "INSERT INTO bare VALUES (-1, 'x', NULL, NULL, NULL), (-1, 'x', NULL, NULL, NULL), (-2, NULL, 1, NULL, '[]')",
    );
    await scenario.sql('UPDATE bare SET a = -3 WHERE a = -1; DELETE FROM bare WHERE a = -2');
    await scenario.waitUntilCaughtUp();
    await assertVerified('bare');
    await scenario.sql('DELETE FROM bare; INSERT INTO bare VALUES (1), (2), (NULL)');
    await scenario.assertEqual('bare');
  });

  test('rows of a table without a key that are equal for the length of a statement are one, and verify tells', async () => {
    await scenario.sql("DELETE FROM bare; INSERT INTO bare VALUES (1, NULL), (2, NULL), (3, NULL), (10, 'apart')");
    await scenario.sql('UPDATE bare SET a = a + 1 WHERE b IS NULL');
    await scenario.waitUntilCaughtUp();
    const rows = await scenario.clickhouse.rows(`SELECT a FROM ${scenario.name}.bare_current ORDER BY a`);
    assert.deepEqual(rows, [{ a: 4 }, { a: 10 }]);
    await assert.rejects(assertVerified('bare'));
    await scenario.sql('DELETE FROM bare; INSERT INTO bare VALUES (2), (3), (4)');
    await scenario.assertEqual('bare');
    await assertVerified('bare');
  });

  test('changes of a table that has unique columns but no key', async () => {
    await scenario.sql(
      "UPDATE bare_unique SET other = NULL WHERE id % 3 = 0; UPDATE bare_unique SET v = 'x' WHERE id % 4 = 0",
    );
    await scenario.sql(
      'UPDATE bare_unique SET other = other + 1000 WHERE id % 5 = 0; DELETE FROM bare_unique WHERE id % 6 = 0',
    );
    await scenario.assertEqual('bare_unique');
  });

  test('updates that leave large values of a table without a key alone', async () => {
    await scenario.sql(`INSERT INTO bare_large SELECT i, big, ARRAY[big, NULL], convert_to(big, 'UTF8')
      FROM generate_series(1, 5) i, LATERAL (SELECT string_agg(md5(i || '/' || j), '') AS big FROM generate_series(1, 300) j) AS b`);
    await scenario.sql('UPDATE bare_large SET n = n + 100; UPDATE bare_large SET body = NULL WHERE n = 101');
    await scenario.sql('UPDATE bare_large SET tags = NULL WHERE n = 102; DELETE FROM bare_large WHERE n = 103');
    await scenario.assertEqual('bare_large');
  });

  test('changes under REPLICA IDENTITY USING INDEX', async () => {
    await scenario.sql("UPDATE by_index SET v = 'x' WHERE a % 3 = 0; DELETE FROM by_index WHERE a % 4 = 0");
    await scenario.sql("UPDATE by_index SET b = b || '!', v = NULL WHERE a % 5 = 0");
    await scenario.sql(
      'UPDATE by_index SET other = other + 1000 WHERE a % 7 = 0; UPDATE by_index SET other = NULL WHERE a % 9 = 0',
    );
    await scenario.sql(
      'UPDATE by_index SET a = a + 1000, other = -a WHERE a % 11 = 0; DELETE FROM by_index WHERE a > 1000 AND a % 2 = 0',
    );
    await scenario.assertEqual('by_index');
    await assertVerified('by_index');
  });

  test('changes where the identity is an index beside the primary key', async () => {
    await scenario.sql("UPDATE beside_key SET v = 'x' WHERE id % 3 = 0; DELETE FROM beside_key WHERE id % 4 = 0");
    await scenario.sql(
      "UPDATE beside_key SET code = code || '!' WHERE id % 5 = 0; UPDATE beside_key SET id = id + 1000 WHERE id % 7 = 0",
    );
    await scenario.sql("UPDATE beside_key SET id = -id, code = code || '?' WHERE id % 9 = 0");
    await scenario.assertEqual('beside_key');
  });

  test('changes of a primary key, under FULL too', async () => {
    await scenario.sql(
      "UPDATE full_key SET id = id + 1000 WHERE id <= 10; UPDATE full_key SET id = -1, v = 'x' WHERE id = 20",
    );
    await scenario.sql('UPDATE full_key SET id = 20 WHERE id = 30; UPDATE full_key SET id = 30 WHERE id = -1');
    await scenario.sql("UPDATE moved SET b = b || '''' WHERE a % 3 = 0; UPDATE moved SET a = -a WHERE a % 4 = 0");
    await scenario.sql(
      "UPDATE moved SET a = a + 1000, b = '', v = NULL WHERE a % 5 = 0; DELETE FROM moved WHERE a % 7 = 0",
    );
    await scenario.assertEqual('full_key', 'moved');
  });

  test('TRUNCATE of one table, before and after inserts in its transaction', async () => {
    await scenario.sql(
      "INSERT INTO emptied VALUES (200, 'before'); TRUNCATE emptied; INSERT INTO emptied SELECT i, 'after' FROM generate_series(1, 5) i",
    );
    await scenario.assertEqual('emptied');
    await scenario.sql('TRUNCATE emptied');
    await scenario.assertEqual('emptied');
    await scenario.sql(
      "INSERT INTO emptied VALUES (1, 'a'); TRUNCATE emptied; TRUNCATE emptied; INSERT INTO emptied VALUES (1, 'b'); UPDATE emptied SET v = 'c'",
    );
    await scenario.sql('BEGIN; TRUNCATE emptied; ROLLBACK');
    await scenario.assertEqual('emptied');
    await assertVerified('emptied');
  });

  test('TRUNCATE of several tables, and CASCADE', async () => {
    await scenario.sql('TRUNCATE parent_of, child_of, busy RESTART IDENTITY');
    await scenario.assertEqual('parent_of', 'child_of', 'busy');
    await scenario.sql("INSERT INTO parent_of VALUES (1, 'again'), (2, 'again'); INSERT INTO child_of VALUES (1, 2)");
    await scenario.sql("TRUNCATE parent_of CASCADE; INSERT INTO parent_of VALUES (2, 'last')");
    await scenario.assertEqual('parent_of', 'child_of');
  });

  test('changes of any partition, moves between them, and TRUNCATE of the whole', async () => {
    await scenario.sql(
      "UPDATE parts SET v = 'x' WHERE id % 3 = 0; DELETE FROM parts_2b WHERE id % 4 = 0; INSERT INTO parts_1 VALUES (999, '2024-02-02', 'direct')",
    );
    await scenario.sql(
      "UPDATE parts SET day = day + 183 WHERE id < 100 AND id % 5 = 0; UPDATE parts_2 SET day = '2024-12-31' WHERE day = '2024-08-08'",
    );
    await scenario.assertEqual('parts');
    await scenario.sql(
      "TRUNCATE parts; INSERT INTO parts SELECT i, date '2024-01-01' + i, 'new' FROM generate_series(0, 10) i",
    );
    await scenario.assertEqual('parts');
  });

  test('TRUNCATE among many changes, with the stream paused', async () => {
    await scenario.pause();
    for (let i = 0; i < 5; i++) {
      await scenario.sql(
        `INSERT INTO busy SELECT i, 'round ${i}' FROM generate_series(1, ${3000 - i * 500}) i; UPDATE busy SET v = v || '!' WHERE id % 3 = 0`,
      );
      if (i < 4) await scenario.sql('TRUNCATE busy');
    }
    await scenario.resume();
    await scenario.assertEqual();
  });
});
