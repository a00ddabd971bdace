import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { verifySql } from '../../core/canonical.ts';
import { chTable } from '../../core/identifiers.ts';
import type { TargetShape } from '../../core/typeMapping.ts';
import { TwoDatabases } from './typesSupport.ts';

interface Key {
  key: string;
  hash: string;
}

suite('comparing source and target', () => {
  let databases: TwoDatabases;
  let shape: TargetShape;

  before(async () => {
    databases = await TwoDatabases.create();
    await databases.postgres.query(`CREATE TABLE t (a text, b int, v text, w text, n float8, PRIMARY KEY (a, b));
      INSERT INTO t SELECT 'key "' || g % 7 || '\\', g, CASE WHEN g % 3 > 0 THEN repeat('x', g % 5) END, 'w' || g, g / 7.0
      FROM generate_series(1, 1000) g`);
    shape = await databases.shape('t');
    await databases.createTarget(shape);
    await databases.copy(shape);
  });
  after(() => databases.drop());

  const target = () => chTable({ database: databases.name, name: 't' });
  /** Writes a newer version of one row into the target, with one column's value replaced. */
  const replace = (b: number, column: string, value: string) =>
    databases.clickhouse.command(
      `INSERT INTO ${target()} SELECT * REPLACE (${value} AS ${column}, _version + 1 AS _version) FROM ${target()} FINAL WHERE b = ${b}`,
    );

  /** Key and hash of every row of both sides, in the keys' order. */
  async function keys(of: TargetShape): Promise<{ source: Key[]; target: Key[] }> {
    const { postgres, clickhouse } = verifySql(of);
    const select = ({ key, hash, rows }: typeof postgres) => `SELECT ${key} AS _k, ${hash} AS _h FROM ${rows}`;
    const sorted = (rows: { _k: string; _h: string }[]) =>
      rows.map(({ _k, _h }) => ({ key: _k, hash: _h })).sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
    return {
      source: sorted((await databases.postgres.query(select(postgres))).rows),
      target: sorted(await databases.clickhouse.rows(select(clickhouse))),
    };
  }

  test('equal tables have equal summaries and keys', async () => {
    const { source, target } = await databases.summaries(shape);
    assert.equal(source.rows, '1000');
    assert.deepEqual(target, source);
    const all = await keys(shape);
    assert.equal(all.source.length, 1000);
    assert.deepEqual(all.target, all.source);
  });

  test('a key is readable as JSON, in the order of the key', async () => {
    for (const { key } of (await keys(shape)).source) {
      const [a, b] = JSON.parse(key) as string[];
      assert.equal(a, `key "${Number(b) % 7}\\`);
    }
  });

  for (const [what, column, value] of [
    ['one letter', 'w', `concat(w, 'x')`],
    ['NULL instead of an empty text', 'v', 'NULL'],
    ['the last bit of a float', 'n', 'reinterpretAsFloat64(bitXor(reinterpretAsUInt64(n), 1))'],
    ['a value moved to the next column', 'v', 'w'],
  ] as const) {
    test(`${what} makes a difference, and its key leads to the row`, async () => {
      await replace(5, column, value);
      const { source, target: changed } = await databases.summaries(shape);
      assert.equal(changed.rows, source.rows);
      assert.notEqual(changed.checksum, source.checksum);

      const all = await keys(shape);
      const wrong = all.source.filter((key, index) => key.hash !== all.target[index]?.hash);
      assert.deepEqual(
        wrong.map(({ key }) => key),
        [String.raw`["key \"5\\","5"]`],
      );
      await databases.copy(shape, BigInt(Date.now()) << 64n);
    });
  }

  test('where values end makes a difference', async () => {
    await databases.postgres.query(
      `CREATE TABLE ends (id int PRIMARY KEY, x text, y text); INSERT INTO ends VALUES (1, 'a|1:b', 'c')`,
    );
    const ends = await databases.shape('ends');
    await databases.createTarget(ends);
    await databases.copy(ends);
    const before = (await databases.summaries(ends)).source;
    await databases.postgres.query(`UPDATE ends SET x = 'a', y = 'b|1:c'`);
    assert.notEqual((await databases.summaries(ends)).source.checksum, before.checksum);
  });

  test('an empty table has no rows and no checksum on both sides', async () => {
    await databases.postgres.query('CREATE TABLE nothing (id int PRIMARY KEY)');
    const nothing = await databases.shape('nothing');
    await databases.createTarget(nothing);
    const { source, target } = await databases.summaries(nothing);
    assert.deepEqual(source, { rows: '0', checksum: '0' });
    assert.deepEqual(target, source);
  });

  test('without a key rows are found by their whole text', async () => {
    await databases.postgres.query(
      `CREATE TABLE keyless (v text, n int); INSERT INTO keyless VALUES ('a', NULL), (NULL, 1), ('a', NULL)`,
    );
    const keyless = await databases.shape('keyless', { load: 'reference' });
    await databases.createTarget(keyless);
    await databases.copy(keyless, null);
    const { source, target } = await keys(keyless);
    assert.deepEqual(
      source.map(({ key }) => key),
      ['["a",null]', '["a",null]', '[null,"1"]'],
    );
    assert.deepEqual(target, source);
  });
});
