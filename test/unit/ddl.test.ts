import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { verifySql } from '../../core/canonical.ts';
import { referenceDdl, stagingDdl, streamDdl, streamObjects } from '../../core/ddl.ts';
import { copyPath, copySelect } from '../../core/ddlCopy.ts';
import type { TidegateError } from '../../core/errors.ts';
import { debeziumName } from '../../core/names.ts';
import { sourceColumn, sourceTable, targetShape } from './typesSource.ts';

const source = sourceTable([sourceColumn('v', 'text', 'text'), sourceColumn('tags', 'text[]', '_text')]);

suite('statements for ClickHouse', () => {
  test('a stream table has a target, a landing table, its truncations, a landing view and a current view, in that order', () => {
    const [target, landing, truncations, truncationsView, view, current, ...more] = streamDdl(targetShape(source));
    assert.equal(more.length, 0);
    assert.equal(
      target,
      "CREATE TABLE IF NOT EXISTS `d`.`t` (`id` Int32 COMMENT 'source column 1', " +
        "`v` Nullable(String) COMMENT 'source column 1', `tags` Nullable(String) COMMENT 'source column 1', _version UInt128, " +
        '_deleted UInt8, _tidegate_partition Int32 DEFAULT -1, _tidegate_offset Int64) ENGINE = ReplacingMergeTree(_version, _deleted) ORDER BY (`id`)',
    );
    assert.match(
      landing!,
      /^CREATE TABLE IF NOT EXISTS `d`\.`t_landing` \(op String, before Tuple\(.*\) ENGINE = Null$/,
    );
    assert.match(view!, /^CREATE MATERIALIZED VIEW IF NOT EXISTS `d`\.`t_landing_mv` TO `d`\.`t` AS SELECT /);
    assert.equal(
      current,
      'CREATE VIEW IF NOT EXISTS `d`.`t_current` AS SELECT `id`, `v`, `tags` FROM `d`.`t` FINAL WHERE _deleted = 0 ' +
        'AND _version > ifNull((SELECT max(_version) FROM `d`.`t_truncations`), 0)',
    );
    assert.match(truncations!, /^CREATE TABLE IF NOT EXISTS `d`\.`t_truncations` \(_version UInt128\) ENGINE = /);
    assert.match(
      truncationsView!,
      /^CREATE MATERIALIZED VIEW IF NOT EXISTS `d`\.`t_truncations_mv` TO `d`\.`t_truncations` /,
    );
    const { table } = targetShape(source);
    for (const [index, name] of streamObjects(table).entries()) {
      assert.match(streamDdl(targetShape(source))[index]!, new RegExp(`^CREATE [A-Z ]+ \`d\`\\.\`${name}\` `));
    }
  });

  test('the key keeps the order that the source gives it', () => {
    const keyed = sourceTable([sourceColumn('b', 'uuid', 'uuid', { notNull: true })], { primaryKey: ['b', 'id'] });
    assert.match(streamDdl(targetShape(keyed))[0]!, /ORDER BY \(`b`, `id`\)$/);
  });

  test('the index of the replica identity is the key, also beside a primary key', () => {
    const identity = { replicaIdentity: 'i', identityIndex: ['code'] };
    const keyed = sourceTable([sourceColumn('code', 'text', 'text', { notNull: true })], identity);
    assert.match(streamDdl(targetShape(keyed))[0]!, /ORDER BY \(`code`\)$/);
    assert.match(referenceDdl(targetShape(keyed, 'reference'))[0]!, /ORDER BY \(`id`\)$/);
  });

  test('without a key the whole row is one, where that is declared', () => {
    const keyless = targetShape({ ...source, primaryKey: [], replicaIdentity: 'f' });
    assert.throws(() => streamDdl(keyless), /no primary key/);
    const declared = { ...keyless, table: { ...keyless.table, duplicates: 'collapse' as const } };
    assert.match(streamDdl(declared)[0]!, /ORDER BY \(`id`, `v`, `tags`\) SETTINGS allow_nullable_key = 1$/);
    const { postgres, clickhouse } = verifySql(declared);
    assert.match(postgres.summary, /SELECT DISTINCT/);
    assert.doesNotMatch(clickhouse.summary, /DISTINCT/);
    assert.throws(
      () => streamDdl({ ...declared, source: { ...declared.source, replicaIdentity: 'd' } }),
      (error: TidegateError) => /REPLICA IDENTITY FULL and declare duplicates/.test(error.remedy),
    );
  });

  test('a reference table is a plain one, with or without a key', () => {
    assert.deepEqual(referenceDdl(targetShape(source, 'reference')), [
      'CREATE TABLE IF NOT EXISTS `d`.`t` (`id` Int32, `v` Nullable(String), `tags` Nullable(String)) ENGINE = MergeTree ORDER BY (`id`)',
    ]);
    assert.match(referenceDdl(targetShape({ ...source, primaryKey: [] }, 'reference'))[0]!, /ORDER BY \(\)$/);
    assert.match(
      stagingDdl(targetShape(source, 'reference'), 't_staging'),
      /^CREATE OR REPLACE TABLE `d`\.`t_staging` /,
    );
  });

  test('the copy path gives a version to rows of a stream table only', () => {
    const versioned = copyPath(targetShape(source), { into: 't', version: 7n });
    assert.match(versioned.create.at(-1)!, /TO `d`\.`t` AS .*toUInt128\('7'\) AS _version, toUInt8\(0\) AS _deleted/);
    const plain = copyPath(targetShape(source, 'reference'), { into: 't_staging', version: null });
    assert.match(plain.create.at(-1)!, /TO `d`\.`t_staging` AS /);
    assert.doesNotMatch(plain.create.at(-1)!, /_version/);
    assert.equal(plain.landing, '`d`.`t_copy`');
    assert.equal(plain.columns.length, source.columns.length);
  });

  test('COPY selects pages, from the first up to but without the second', () => {
    const all = 'SELECT "id", "v", array_to_json("tags"::text[]) FROM ONLY "public"."t"';
    assert.equal(copySelect(source), all);
    assert.equal(
      copySelect(source, { fromPage: 0, toPage: 8 }),
      `${all} WHERE ctid >= '(0,0)'::tid AND ctid < '(8,0)'::tid`,
    );
    assert.equal(copySelect(source, { fromPage: 8, toPage: null }), `${all} WHERE ctid >= '(8,0)'::tid`);
  });

  test('a name beyond ASCII is the one that Debezium makes of it', () => {
    assert.equal(debeziumName('plain_1'), 'plain_1');
    assert.equal(debeziumName('имя'), '\uffd0\uffb8\uffd0\uffbc\uffd1\uff8f');
  });

  test('a history needs the whole row before a change, and its columns must not meet those of the source', () => {
    const shape = (identity: string, ...names: string[]) => {
      const columns = names.map((name) => sourceColumn(name, 'text', 'text'));
      const found = targetShape({ ...sourceTable(columns), replicaIdentity: identity });
      return {
        ...found,
        table: { ...found.table, currentView: null, history: { operations: ['u'], start: 'latest' } },
      } as const;
    };
    const [target, , view, ...more] = streamDdl(shape('f', 'v') as never);
    assert.equal(more.length, 0);
    assert.match(target!, /`before_v` Nullable\(String\).* ORDER BY \(`id`, ts, lsn, op\)$/);
    assert.match(view!, /WHERE op NOT IN \('c', 'd', 't', 'r'\)/);
    assert.throws(() => streamDdl(shape('d', 'v') as never), {
      code: 'SOURCE_NOT_READY',
      remedy: /REPLICA IDENTITY FULL/,
    });
    for (const taken of ['lsn', 'before_id']) {
      assert.throws(() => streamDdl(shape('f', taken) as never), { code: 'UNSUPPORTED_SOURCE' });
    }
  });
});
