import { after, before, suite, test } from 'node:test';
import { Scenario } from '../harness.ts';

const TABLES = ['one', 'parent', 'child', 'within', 'again'];

suite('TRUNCATE: source and target are equal after', () => {
  let scenario: Scenario;

  before(async () => {
    scenario = await Scenario.open({
      ...{ label: 'trunc', tables: TABLES },
      ddl: `
        CREATE TABLE one (id int PRIMARY KEY, v text); CREATE TABLE within (id int PRIMARY KEY, v text);
        CREATE TABLE again (id int PRIMARY KEY, v text); CREATE TABLE parent (id int PRIMARY KEY);
        CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent);
        INSERT INTO one SELECT i, 'copied' FROM generate_series(1, 100) i;
        INSERT INTO within SELECT i, 'copied' FROM generate_series(1, 100) i;
        INSERT INTO again SELECT i, 'copied' FROM generate_series(1, 100) i;
        INSERT INTO parent SELECT generate_series(1, 10); INSERT INTO child SELECT i, i FROM generate_series(1, 10) i`,
    });
  });
  after(() => scenario?.[Symbol.asyncDispose]());

  test('TRUNCATE of one table, then inserts', async () => {
    await scenario.sql("INSERT INTO one SELECT i, 'streamed' FROM generate_series(101, 200) i");
    await scenario.sql('TRUNCATE one');
    await scenario.assertEqual('one');
    await scenario.sql("INSERT INTO one SELECT i, 'after' FROM generate_series(50, 60) i");
    await scenario.assertEqual('one');
  });

  test('TRUNCATE of several tables, then inserts', async () => {
    await scenario.sql('TRUNCATE parent, child');
    await scenario.sql('INSERT INTO parent VALUES (1); INSERT INTO child VALUES (1, 1)');
    await scenario.assertEqual('parent', 'child');
    await scenario.sql('TRUNCATE parent CASCADE');
    await scenario.assertEqual('parent', 'child');
  });

  test('TRUNCATE between changes of one transaction', async () => {
    await scenario.sql(`
      INSERT INTO within VALUES (1000, 'before'); UPDATE within SET v = 'before' WHERE id = 1; TRUNCATE within;
      INSERT INTO within VALUES (1, 'after'), (1000, 'after'); UPDATE within SET v = 'changed' WHERE id = 1`);
    await scenario.assertEqual('within');
  });

  test('TRUNCATE that is rolled back, and TRUNCATE again and again', async () => {
    await scenario.sql('BEGIN; TRUNCATE again; ROLLBACK');
    await scenario.assertEqual('again');
    for (let i = 0; i < 5; i++) await scenario.sql(`TRUNCATE again; INSERT INTO again VALUES (${i}, 'x')`);
    await scenario.assertEqual('again');
  });
});
