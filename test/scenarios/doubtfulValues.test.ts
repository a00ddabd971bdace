import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { DeadLetters } from '../../activities/deadLetters.ts';
import { Scenario } from './harness.ts';

/** Texts of Debezium that stand for several values. */
const TABLES = {
  times: ['time', "'24:00:00'", "'00:00:00'", "'00:00:00.000001'", 'NULL'],
  zoned: ['timetz', "'24:00:00+00'", "'00:00:00+00'", "'24:00:00+02'", "'02:00:00+02'"],
  spans: ['interval', "'0'", "'1 month -30 days'", 'NULL'],
  counts: ['int[]', "'{NULL,NULL}'", "'{NULL}'", "'{}'", "'{1,NULL}'"],
  moments: ['time[]', "'{24:00:00,00:00}'", "'{00:00:00}'", "'{NULL}'"],
  words: ['citext[]', "'{NULL}'", "'{a,NULL}'"],
} satisfies Record<string, [type: string, ...values: string[]]>;

suite('values that Debezium sends by the text of another', () => {
  test('arrive as they are', async () => {
    const names = Object.keys(TABLES);
    await using scenario = await Scenario.open({
      ...{ label: 'same', tables: names },
      ddl: `CREATE EXTENSION citext;
        ${Object.entries(TABLES)
          .map(([name, [type, ...values]]) => {
            const rows = values.map((value, index) => `(${index}, ${value})`).join(', ');
            return `CREATE TABLE ${name} (id int PRIMARY KEY, v ${type}); ALTER TABLE ${name} REPLICA IDENTITY FULL; INSERT INTO ${name} VALUES ${rows}`;
          })
          .join(';\n')}`,
    });
    for (const name of names) {
      await scenario.sql(`
        INSERT INTO ${name} SELECT id + 100 * i, v FROM ${name}, generate_series(1, 50) i;
        UPDATE ${name} t SET v = o.v FROM ${name} o WHERE t.id > 2000 AND o.id = t.id - 99; DELETE FROM ${name} WHERE id < 300`);
    }
    await scenario.assertEqual();
    assert.deepEqual(await new DeadLetters(scenario.clickhouse, scenario.pipeline).find({}), []);
  });

  test('that the target cannot hold are refused, whatever Debezium makes of them, and never change', async () => {
    const cases = {
      date: ["'infinity'", "'-infinity'", "'0044-03-15 BC'", "'9999-12-31'"],
      timestamp: ["'infinity'", "'-infinity'", "'0044-03-15 BC'"],
      timestamptz: ["'infinity'", "'-infinity'"],
      'numeric(10,2)': ["'NaN'"],
      'text[]': [`'{{"a"},{NULL}}'`, "'{{a,b},{c,d}}'"],
      'uuid[]': [`ARRAY[ARRAY[gen_random_uuid()]]`],
      'jsonb[]': [`ARRAY[ARRAY['1'::jsonb]]`],
      'timestamp[]': ["'{infinity}'"],
      'float8[]': ["'{{1.5}}'"],
      'bytea[]': ["'{{a}}'"],
    };
    const names = Object.keys(cases).map((_, index) => `t${index}`);
    await using scenario = await Scenario.open({
      ...{ label: 'unfit', tables: names },
      ddl: Object.keys(cases)
        .map(
          (type, index) =>
            `CREATE TABLE t${index} (id int PRIMARY KEY, v ${type}); ALTER TABLE t${index} REPLICA IDENTITY FULL`,
        )
        .join(';'),
    });
    const expected: string[] = [];
    for (const [index, values] of Object.values(cases).entries()) {
      await scenario.sql(`INSERT INTO t${index} VALUES (0, NULL)`);
      for (const [id, value] of values.entries()) {
        await scenario.sql(`INSERT INTO t${index} VALUES (${id + 1}, ${value})`);
        expected.push(`t${index} ${id + 1}`);
      }
    }
    await scenario.waitUntilCaughtUp();
    const letters = await new DeadLetters(scenario.clickhouse, scenario.pipeline).find({});
    assert.deepEqual(
      letters.map(({ table, value }) => `${table} ${/"after":\{"id":(\d+)/.exec(String(value))?.[1]}`).sort(),
      expected.sort(),
    );
    for (const name of names) await scenario.sql(`DELETE FROM ${name} WHERE id > 0`);
    await scenario.assertEqual();
  });

  test('are refused where the target cannot hold them, or no key finds the row again, and never change', async () => {
    await using scenario = await Scenario.open({
      label: 'refused',
      tables: {
        spans: {},
        counts: {},
        slots: {},
        keyless: { duplicates: 'collapse' },
        checked: { duplicates: 'collapse' },
      },
      ddl: `CREATE TABLE spans (id int PRIMARY KEY, v interval); CREATE TABLE counts (id int PRIMARY KEY, v int[]);
        CREATE TABLE slots (at time PRIMARY KEY, n int);
        CREATE TABLE keyless (at time, v int[]); ALTER TABLE keyless REPLICA IDENTITY FULL;
        CREATE DOMAIN early AS time CHECK (VALUE < '24:00');
        CREATE TABLE checked (at time CHECK (at < '24:00'), "the Day" early, v int[] CHECK (array_ndims(v) = 1 AND cardinality(v) < 9));
        ALTER TABLE checked REPLICA IDENTITY FULL`,
    });
    await scenario.sql(`
      INSERT INTO spans VALUES (1, 'infinity'), (2, '1 day'), (3, '-infinity'); INSERT INTO counts VALUES (1, '{{1,2},{3,4}}'), (2, '{1,2}');
      INSERT INTO slots VALUES ('24:00', 1), ('00:00', 2), ('10:00', 3); DELETE FROM slots WHERE n = 3;
      INSERT INTO keyless VALUES ('24:00', '{1}'), ('12:00', '{{1}}'), ('12:00', '{2}');
      INSERT INTO checked VALUES ('00:00', '00:00', '{NULL}'), ('12:00', '13:00', '{1}')`);
    await scenario.waitUntilCaughtUp();
    const letters = await new DeadLetters(scenario.clickhouse, scenario.pipeline).find({});
    const found = letters.map(
      ({ table, value }) => `${table} ${/"after":(\{.*?\}),"source"/.exec(String(value))?.[1]}`,
    );
    assert.deepEqual(found.sort(), [
      'counts {"id":1,"v":[null,null]}',
      'keyless {"at":"00:00:00Z","v":[1]}',
      'keyless {"at":"12:00:00Z","v":[null]}',
      'slots {"at":"00:00:00Z","n":1}',
      'slots {"at":"00:00:00Z","n":2}',
      'spans {"id":1,"v":"P0Y0M0DT0H0M0S"}',
      'spans {"id":3,"v":"P0Y0M0DT0H0M0S"}',
    ]);
    await scenario.assertEqualNow('checked');
    await scenario.sql(
      `DELETE FROM spans WHERE id <> 2; DELETE FROM counts WHERE id = 1; DELETE FROM keyless WHERE v <> '{2}'`,
    );
    await scenario.assertEqual('spans', 'counts');
  });
});
