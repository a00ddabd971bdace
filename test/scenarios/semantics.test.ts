import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { Scenario } from './harness.ts';
import { until } from './until.ts';

const plain = (name: string) => `CREATE TABLE ${name} (id int PRIMARY KEY, v text, n numeric(10,2));`;
const TABLES = ['simple', 'one_row', 'same_key', 'new_key', 'composite', 'during', 'large', 'parted', 'bulk'];

suite('semantics: source and target are equal after', () => {
  let scenario: Scenario;

  before(async () => {
    scenario = await Scenario.open({
      ...{ label: 'sem', start: false, tables: TABLES },
      ddl: `
        ${['simple', 'one_row', 'same_key', 'new_key', 'during', 'bulk'].map(plain).join('\n')}
        CREATE TABLE composite (a int, b text, c timestamptz, v text, PRIMARY KEY (b, a, c));
        CREATE TABLE large (id int PRIMARY KEY, n int, body text, doc jsonb, tags text[], raw bytea);
        CREATE TABLE parted (id int, day date, v text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
        CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM ('2024-01-01') TO ('2024-07-01');
        CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM ('2024-07-01') TO ('2025-01-01');
        INSERT INTO simple SELECT i, 'first ' || i, i / 7.0 FROM generate_series(1, 1000) i;
        INSERT INTO parted SELECT i, date '2024-01-01' + i, 'p' || i FROM generate_series(1, 300) i;
        INSERT INTO composite SELECT i % 7, 'k' || i, '2024-01-01Z'::timestamptz + i * interval '1 s', 'v' FROM generate_series(1, 100) i;
        INSERT INTO during SELECT i, 'first', 0 FROM generate_series(1, 50000) i`,
    });
  });
  after(() => scenario[Symbol.asyncDispose]());

  // Begins the pipeline that the other tests use.
  test('a change during the snapshot', async () => {
    const { source } = scenario;
    const open = await source.connect();
    await open.query(
      "BEGIN; INSERT INTO during VALUES (-1, 'begun before the slot', 1); UPDATE during SET n = 1 WHERE id = 1",
    );
    const started = scenario.start();
    started.catch(() => undefined);
    const waiting = async () => {
      const { rows } = await source.admin.query(
        "SELECT FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'CREATE_REPLICATION_SLOT%' AND wait_event_type = 'Lock'",
      );
      return rows.length;
    };
    await until(waiting, (count) => count > 0, {
      what: 'the slot waits for the open transaction',
      state: () => scenario.describe(),
    });
    await scenario.sql("UPDATE during SET n = 2, v = 'committed before the open one' WHERE id BETWEEN 2 AND 20");
    await open.query('DELETE FROM during WHERE id = 21; COMMIT');
    await open.end();
    let streaming = false;
    const running = started.then(() => {
      streaming = true;
    });
    for (let i = 0; !streaming && i < 2000; i++) {
      await scenario.sql(`
        UPDATE during SET n = n + 1 WHERE id % 997 = ${i % 997};
        DELETE FROM during WHERE id = ${30 + i}; INSERT INTO during VALUES (${100_000 + i}, 'while copying', ${i})`);
      await Promise.race([running, new Promise((resolve) => setTimeout(resolve, 5))]);
    }
    await running;
    await scenario.assertEqual();
  });

  test('snapshot then insert, update, delete', async () => {
    await scenario.sql("INSERT INTO simple SELECT i, 'later', NULL FROM generate_series(2001, 2010) i");
    await scenario.sql("UPDATE simple SET v = 'changed', n = -0.01 WHERE id IN (1, 2, 2001)");
    await scenario.sql('DELETE FROM simple WHERE id IN (3, 4, 2002)');
    await scenario.assertEqual('simple');
  });

  test('insert, update and delete of one row in one transaction', async () => {
    await scenario.sql(
      "INSERT INTO one_row VALUES (1, 'a', 1); UPDATE one_row SET v = 'b' WHERE id = 1; DELETE FROM one_row WHERE id = 1",
    );
    await scenario.sql(
      "INSERT INTO one_row VALUES (2, 'a', 1); UPDATE one_row SET v = 'b' WHERE id = 2; UPDATE one_row SET n = 7 WHERE id = 2",
    );
    await scenario.sql(
      "INSERT INTO one_row VALUES (3, 'a', 1); DELETE FROM one_row WHERE id = 3; INSERT INTO one_row VALUES (3, 'c', 3)",
    );
    await scenario.sql("BEGIN; INSERT INTO one_row VALUES (4, 'gone', 1); ROLLBACK");
    await scenario.sql(
      "BEGIN; INSERT INTO one_row VALUES (5, 'a', 1); SAVEPOINT s; UPDATE one_row SET v = 'gone' WHERE id = 5; ROLLBACK TO s; COMMIT",
    );
    await scenario.assertEqual('one_row');
  });

  test('delete then insert of the same key', async () => {
    await scenario.sql("INSERT INTO same_key SELECT i, 'old', i FROM generate_series(1, 20) i");
    await scenario.sql(
      'DELETE FROM same_key WHERE id <= 10; INSERT INTO same_key SELECT i, NULL, i FROM generate_series(1, 10) i',
    );
    for (let i = 11; i <= 20; i++) {
      await scenario.sql(`DELETE FROM same_key WHERE id = ${i}`);
      await scenario.sql(`INSERT INTO same_key VALUES (${i}, 'new', -${i})`);
    }
    await scenario.assertEqual('same_key');
  });

  test('an update of the primary key', async () => {
    await scenario.sql("INSERT INTO new_key SELECT i, 'row ' || i, i FROM generate_series(1, 20) i");
    await scenario.sql('UPDATE new_key SET id = id + 100 WHERE id <= 10');
    await scenario.sql(
      'UPDATE new_key SET id = -1 WHERE id = 11; UPDATE new_key SET id = 11 WHERE id = 12; UPDATE new_key SET id = 12 WHERE id = -1',
    );
    await scenario.sql(
      "UPDATE new_key SET id = 300, v = 'moved' WHERE id = 13; UPDATE new_key SET id = 13 WHERE id = 300",
    );
    await scenario.sql('DELETE FROM new_key WHERE id = 14; UPDATE new_key SET id = 14 WHERE id = 15');
    await scenario.assertEqual('new_key');
  });

  test('changes under a composite key', async () => {
    await scenario.sql("UPDATE composite SET v = 'x' WHERE a = 3; DELETE FROM composite WHERE a = 4");
    await scenario.sql("UPDATE composite SET b = b || '''|\"', c = c + interval '1 microsecond' WHERE a = 5");
    await scenario.sql(
      "INSERT INTO composite VALUES (1, '', '1970-01-01Z', 'empty'), (-2147483648, E'a\\tb', '2024-02-29 12:00:00.123456Z', NULL)",
    );
    await scenario.assertEqual('composite');
  });

  for (const identity of ['DEFAULT', 'FULL']) {
    test(`updates that leave large values alone, under REPLICA IDENTITY ${identity}`, async () => {
      await scenario.sql(`ALTER TABLE large REPLICA IDENTITY ${identity}`);
      const first = identity === 'FULL' ? 100 : 0;
      await scenario.sql(`
        INSERT INTO large SELECT ${first} + i, 0, big, jsonb_build_object('text', big, 'n', i), ARRAY[big, NULL, 'x'], convert_to(big, 'UTF8')
        FROM generate_series(1, 10) i, LATERAL (SELECT string_agg(md5(i || '/' || j), '') AS big FROM generate_series(1, 300) j) AS b`);
      await scenario.sql(`UPDATE large SET n = n + 1 WHERE id > ${first}`);
      for (const column of ['body', 'doc', 'tags', 'raw']) {
        await scenario.sql(`UPDATE large SET n = n + 1, ${column} = NULL WHERE id = ${first} + 1`);
        await scenario.sql(`UPDATE large SET n = n + 1 WHERE id BETWEEN ${first} + 1 AND ${first} + 5`);
      }
      await scenario.assertEqual('large');
    });
  }

  test('changes of a partitioned table, also between partitions and in a new one', async () => {
    await scenario.sql("UPDATE parted SET v = 'x' WHERE id < 10; DELETE FROM parted WHERE id BETWEEN 10 AND 20");
    await scenario.sql("UPDATE parted SET day = '2024-12-01' WHERE id = 30");
    await scenario.sql(`CREATE TABLE parted_3 PARTITION OF parted FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')`);
    await scenario.sql(
      "INSERT INTO parted VALUES (1000, '2025-05-05', 'new'); UPDATE parted SET day = '2025-06-01' WHERE id = 31",
    );
    await scenario.assertEqual('parted');
  });

  test('one transaction of 100,000 rows', async () => {
    await scenario.sql('INSERT INTO bulk SELECT i, md5(i::text), i / 100.0 FROM generate_series(1, 100000) i');
    await scenario.sql('UPDATE bulk SET n = -n WHERE id % 10 = 0; DELETE FROM bulk WHERE id % 100 = 1');
    await scenario.assertEqual('bulk');
    const [counted] = await scenario.clickhouse.rows<{ rows: string }>(
      `SELECT toString(count()) AS rows FROM ${scenario.name}.bulk_current`,
    );
    assert.equal(counted?.rows, '99000');
  });

  test('a pause during which everything above changes again', async () => {
    await scenario.pause();
    await scenario.sql(
      "UPDATE simple SET v = 'paused'; DELETE FROM same_key WHERE id % 2 = 0; UPDATE bulk SET v = NULL WHERE id < 1000",
    );
    await scenario.resume();
    await scenario.assertEqual();
  });

  test('nothing but equal values: the comparison sees what is wrong, missing and extra', async () => {
    const simple = scenario.pipeline.tables.find(({ name }) => name === 'simple')!;
    const lsn = '1267650600228229401496703205376';
    await scenario.clickhouse.command(
      `INSERT INTO ${scenario.name}.simple (id, v, n, _version, _deleted) SELECT id, 'wrong', n, ${lsn}, id = 5 FROM ${scenario.name}.simple_current WHERE id IN (5, 6)`,
    );
    await scenario.clickhouse.command(
      `INSERT INTO ${scenario.name}.simple (id, v, n, _version, _deleted) VALUES (-7, NULL, NULL, ${lsn}, 0)`,
    );
    assert.deepEqual((await scenario.differences(simple)).slice(1), [
      '["5"]: missing in the view',
      '["6"]: v (text) is "paused" at the source, "wrong" in the view',
      '["-7"]: in the view only',
    ]);
  });
});
