import { test } from 'node:test';
import { Scenario } from '../harness.ts';

test('no primary key under REPLICA IDENTITY FULL, rows distinct', async () => {
  await using scenario = await Scenario.open({
    ...{ label: 'nokey', tables: ['loose'] },
    ddl: `CREATE TABLE loose (a int, b text); ALTER TABLE loose REPLICA IDENTITY FULL;
      INSERT INTO loose SELECT i, 'v' || i FROM generate_series(1, 50) i; INSERT INTO loose VALUES (NULL, NULL)`,
  });
  await scenario.sql(
    "INSERT INTO loose VALUES (100, NULL), (101, ''); UPDATE loose SET b = 'x' WHERE a < 10; DELETE FROM loose WHERE a > 40",
  );
  await scenario.sql('DELETE FROM loose WHERE a IS NULL');
  await scenario.assertEqual();
});

test('a unique index as REPLICA IDENTITY, without a primary key', async () => {
  await using scenario = await Scenario.open({
    ...{ label: 'uniq', tables: ['indexed'] },
    ddl: `CREATE TABLE indexed (a int NOT NULL, b text); CREATE UNIQUE INDEX indexed_a ON indexed (a);
      ALTER TABLE indexed REPLICA IDENTITY USING INDEX indexed_a; INSERT INTO indexed SELECT i, 'v' FROM generate_series(1, 50) i`,
  });
  await scenario.sql(
    "UPDATE indexed SET b = 'x' WHERE a < 10; DELETE FROM indexed WHERE a > 40; UPDATE indexed SET a = a + 100 WHERE a = 1",
  );
  await scenario.assertEqual();
});

test('keys that are shifted onto each other, under a deferrable primary key and REPLICA IDENTITY FULL', async () => {
  await using scenario = await Scenario.open({
    ...{ label: 'shift', tables: ['shifted'] },
    ddl: `CREATE TABLE shifted (id int PRIMARY KEY DEFERRABLE INITIALLY IMMEDIATE, v text);
      ALTER TABLE shifted REPLICA IDENTITY FULL; INSERT INTO shifted SELECT i, 'v' || i FROM generate_series(1, 20) i`,
  });
  await scenario.sql('UPDATE shifted SET id = id + 1');
  await scenario.assertEqual();
  await scenario.sql('BEGIN; SET CONSTRAINTS ALL DEFERRED; UPDATE shifted SET id = 23 - id; COMMIT');
  await scenario.assertEqual();
});
