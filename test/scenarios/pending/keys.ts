import { test } from 'node:test';
import { Scenario } from '../harness.ts';

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
