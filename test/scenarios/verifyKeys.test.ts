import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { chTable } from '../../core/identifiers.ts';
import { Scenario } from './harness.ts';
import { resultOf, verify } from './verification.ts';

/** Types of keys, with three keys each. */
const KEYS: readonly [type: string, ...keys: string[]][] = [
  ['bigint', '-1', '0', '9223372036854775807'],
  ['boolean', 'true', 'false', 'NULL'],
  ['numeric', '1.20', '-3', "'NaN'"],
  ['numeric(10,2)', '1.20', '-3', '0'],
  ['text', "''", `E'a "quoted"\\n\\\\ key'`, "'ключ 😀'"],
  ['varchar(10)', "'a'", "'A'", "' a'"],
  ['char(4)', "'a'", "'b'", "' a'"],
  ['citext', "'aB'", "'b'", "'c'"],
  ['uuid', "'6BA7B810-9dad-11d1-80b4-00c04fd430c8'", 'gen_random_uuid()', 'gen_random_uuid()'],
  ['bytea', "'\\x00'", "'\\xdead22'", "'\\x'"],
  ['date', "'2024-02-29'", "'1969-12-31'", "'2299-12-31'"],
  ['timestamp', "'2024-02-29 01:02:03.4'", "'1969-12-31'", 'now()'],
  ['timestamptz', "'2024-02-29 01:02:03.4+05:30'", "'1969-12-31Z'", 'now()'],
  ['time', "'00:00:00'", "'12:34:56.1'", "'23:59:59.999999'"],
  ['timetz', "'10:00:00+02'", "'12:34:56.1Z'", "'23:59:59-08'"],
  ['interval', "'1 year 2 days'", "'-1.5 s'", "'0'"],
  ['inet', "'10.0.0.1'", "'10.0.0.1/8'", "'::1'"],
  ['double precision', '0.1', "'-Infinity'", "'NaN'"],
  ['mood', "'sad'", "'so so'", "'ok'"],
  ['int4range', "'[1,5)'", "'empty'", "'(,)'"],
  ['jsonb', `'{"a": [1, "x"]}'`, "'null'", "'1'"],
  ['text[]', `'{a,"b c"}'`, "'{}'", "'{NULL}'"],
];
/** Each difference is waited for several times; pipelines side by side wait at the same time. */
const PIPELINES = 4;

suite('a row of a key of any type that differs is found, and mended', { concurrency: true }, () => {
  for (let part = 0; part < PIPELINES; part++) {
    const cases = KEYS.filter((_, index) => index % PIPELINES === part);
    test(cases.map(([type]) => type).join(', '), async () => {
      const tableOf = (type: string) => `keyed_${KEYS.findIndex((each) => each[0] === type)}`;
      await using scenario = await Scenario.open({
        ...{ label: 'verkey', tables: cases.map(([type]) => tableOf(type)) },
        ddl: `
          CREATE EXTENSION citext; CREATE TYPE mood AS ENUM ('sad', 'so so', 'ok');
          ${cases
            .map(([type, ...keys]) => {
              const rows = keys.filter((key) => key !== 'NULL').map((key) => `(${key}, 1)`);
              return `CREATE TABLE ${tableOf(type)} (k ${type} PRIMARY KEY, v int); INSERT INTO ${tableOf(type)} VALUES ${rows.join(', ')};`;
            })
            .join('\n')}`,
      });
      await scenario.waitUntilCaughtUp();
      assert.equal((await verify(scenario)).ok, true);
      for (const [type] of cases) {
        const table = chTable({ database: scenario.pipeline.database, name: tableOf(type) });
        // One is changed, one deleted.
        await scenario.clickhouse.command(
          `INSERT INTO ${table} SELECT * REPLACE (2 AS v, _version + 1 AS _version, toUInt8(rowNumberInAllBlocks() = 0) AS _deleted) ` +
            `FROM (SELECT * FROM ${table} FINAL ORDER BY k LIMIT 2)`,
        );
      }
      // What a repair found is also what it reports.
      const report = await verify(scenario, { repair: true });
      assert.equal(report.ok, true);
      for (const [type] of cases) {
        const { keys, shown } = resultOf(report, tableOf(type)).repaired;
        assert.deepEqual([keys, ...shown.map(({ kind }) => kind).sort()], [2, 'different', 'missing'], type);
        if (type !== 'text') continue;
        const known = ['[""]', '["a \\"quoted\\"\n\\\\ key"]', '["ключ 😀"]'];
        assert.ok(shown.every(({ key }) => known.includes(key)));
      }
      await scenario.assertEqual();
    });
  }
});
