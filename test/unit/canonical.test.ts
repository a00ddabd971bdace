import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { verifySql } from '../../core/canonical.ts';
import { sourceColumn, sourceTable, targetShape } from './typesSource.ts';

const source = sourceTable([sourceColumn('v', 'text', 'text')]);

suite('the SQL that compares', () => {
  test('reads the current rows of a stream table, and a reference table as it is', () => {
    assert.match(
      verifySql(targetShape(source)).clickhouse.summary,
      /FROM `d`\.`t` FINAL WHERE _deleted = 0 AND _version > .*`d`\.`t_truncations`/,
    );
    assert.match(verifySql(targetShape(source, 'reference')).clickhouse.summary, /FROM `d`\.`t`\)/);
  });

  test('writes the length of a text before it, and marks NULL', () => {
    const { postgres, clickhouse } = verifySql(targetShape(source));
    assert.ok(
      postgres.summary.includes(
        `CASE WHEN "v" IS DISTINCT FROM NULL THEN octet_length("v"::text)::text || ':' || "v"::text ELSE '~' END`,
      ),
    );
    assert.ok(
      clickhouse.summary.includes(
        "if(isNull(`v`), '~', concat(toString(length(assumeNotNull(`v`))), ':', assumeNotNull(`v`)))",
      ),
    );
  });

  test('escapes quotes and backslashes in a key, and nothing in numbers', () => {
    const keyed = sourceTable([sourceColumn('v', 'text', 'text', { notNull: true })], { primaryKey: ['id', 'v'] });
    const { postgres, clickhouse } = verifySql(targetShape(keyed));
    assert.ok(postgres.key.startsWith(`concat('[', '"' || "id"::text || '"', ',', '"' || replace(replace("v"::text,`));
    assert.ok(
      clickhouse.key.startsWith("concat('[', concat('\"', toString(`id`), '\"'), ',', concat('\"', replaceAll("),
    );
  });
});
