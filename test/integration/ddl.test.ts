import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { stagingDdl, streamDdl } from '../../core/ddl.ts';
import { TidegateError } from '../../core/errors.ts';
import { versionOf } from '../../core/lsn.ts';
import { debeziumName } from '../../core/names.ts';
import { envelope, TwoDatabases } from './typesSupport.ts';

suite('what streams into a target', () => {
  let databases: TwoDatabases;

  before(async () => {
    databases = await TwoDatabases.create();
  });
  after(() => databases.drop());

  async function streamTable(name: string, columns: string) {
    await databases.postgres.query(`CREATE TABLE ${name} (${columns})`);
    const shape = await databases.shape(name);
    await databases.createTarget(shape);
    return shape;
  }
  const row = (id: number, v: string) => ({ id: String(id), v: JSON.stringify(v) });

  test('the last change of a key wins, and a deleted row is gone', async () => {
    const shape = await streamTable('changes', 'id int PRIMARY KEY, v text NOT NULL');
    await databases.land(shape, [
      envelope('c', { after: row(1, 'a'), lsn: 100 }),
      envelope('c', { after: row(2, 'b'), lsn: 100 }),
      envelope('u', { after: row(1, 'c'), lsn: 101 }),
      envelope('d', { before: { id: '2', v: 'null' }, lsn: 102 }),
    ]);
    assert.deepEqual(await databases.currentRows(shape), [{ id: 1, v: 'c' }]);
  });

  test('an older version stays hidden, however late it comes', async () => {
    const shape = await streamTable('late', 'id int PRIMARY KEY, v text');
    await databases.land(shape, [
      envelope('u', { after: row(1, 'new'), lsn: 200 }),
      envelope('d', { before: row(2, ''), lsn: 200 }),
    ]);
    await databases.land(shape, [
      envelope('c', { after: row(1, 'old'), lsn: 150 }),
      envelope('c', { after: row(2, 'old'), lsn: 150 }),
    ]);
    assert.deepEqual(await databases.currentRows(shape), [{ id: 1, v: 'new' }]);
  });

  test('changes of one LSN are told apart by their offset', async () => {
    const shape = await streamTable('ties', 'id int PRIMARY KEY, v text');
    const messages = [envelope('d', { before: row(1, '') }), envelope('c', { after: row(1, 'again') })];
    await databases.land(shape, messages);
    await databases.land(shape, messages);
    assert.deepEqual(await databases.currentRows(shape), [{ id: 1, v: 'again' }]);
  });

  test('a version is the LSN and the offset', async () => {
    const shape = await streamTable('versions', 'id int PRIMARY KEY, v text');
    const lsn = 0x7fff_ffff_ffffn;
    await databases.land(shape, [
      envelope('c', { after: row(1, 'a'), lsn: Number(lsn) }),
      envelope('c', { after: row(2, 'a'), lsn: Number(lsn) }),
    ]);
    const rows = await databases.clickhouse.rows(
      `SELECT toString(_version) AS version FROM ${databases.name}.versions ORDER BY id`,
    );
    assert.deepEqual(
      rows,
      [0n, 1n].map((offset) => ({ version: String(versionOf({ lsn, offset })) })),
    );
  });

  test('a truncate removes what is older than itself, whenever that lands, and nothing newer', async () => {
    const shape = await streamTable('emptied', 'id int PRIMARY KEY, v text');
    await databases.copy(shape, versionOf({ lsn: 90n, offset: 0n }));
    await databases.land(shape, [
      envelope('c', { after: row(1, 'before'), lsn: 100 }),
      envelope('t', { lsn: 101 }),
      envelope('c', { after: row(2, 'after'), lsn: 102 }),
    ]);
    await databases.land(shape, [
      envelope('u', { after: row(3, 'late'), lsn: 99 }),
      envelope('t', { lsn: 50 }),
      envelope('c', { after: row(1, 'again'), lsn: 103 }),
    ]);
    assert.deepEqual(await databases.currentRows(shape), [
      { id: 1, v: 'again' },
      { id: 2, v: 'after' },
    ]);
    assert.equal((await databases.summaries(shape)).target.rows, '2');
  });

  test('a key that moves within an update leaves no row behind', async () => {
    await databases.postgres.query(`CREATE TABLE bag (a int, b text, c numeric(5,2));
      ALTER TABLE bag REPLICA IDENTITY FULL; INSERT INTO bag VALUES (1, NULL, 1.5), (1, NULL, 1.5), (NULL, NULL, NULL)`);
    const plain = await databases.shape('bag');
    const shape = { ...plain, table: { ...plain.table, duplicates: 'collapse' as const } };
    await databases.createTarget(shape);
    await databases.copy(shape);
    const { source, target } = await databases.summaries(shape);
    assert.deepEqual(target, source);
    assert.equal(target.rows, '2');
    const of = (a: string, b: string, c: string) => ({ a, b, c });
    await databases.land(shape, [
      envelope('u', { before: of('null', 'null', 'null'), after: of('null', 'null', '"2.00"') }),
      envelope('u', { before: of('1', 'null', '"1.50"'), after: of('1', 'null', '"1.50"') }),
      envelope('c', { after: of('3', '"x"', 'null') }),
      envelope('u', { before: of('3', '"x"', 'null'), after: of('3', 'null', 'null') }),
    ]);
    const { clickhouse } = databases;
    assert.deepEqual(
      await clickhouse.rows(`SELECT a, b, toString(c) AS c FROM ${databases.name}.bag_current ORDER BY ALL`),
      [
        { a: 1, b: null, c: '1.5' },
        { a: 3, b: null, c: null },
        { a: null, b: null, c: '2' },
      ],
    );
  });

  test('a truncate writes no row', async () => {
    const shape = await streamTable(
      'truncated',
      'id int PRIMARY KEY, at timestamptz NOT NULL, price numeric(5,2) NOT NULL',
    );
    await databases.land(shape, [envelope('t', {})]);
    assert.deepEqual(await databases.clickhouse.rows(`SELECT 1 FROM ${databases.name}.truncated`), []);
  });

  test('a delete needs no value but those of its key', async () => {
    const shape = await streamTable(
      'keyed',
      `b uuid, id bigint, at timestamptz NOT NULL, price numeric(5,2) NOT NULL, day date NOT NULL, n int[] NOT NULL,
       flag bool NOT NULL, body text NOT NULL, raw bytea NOT NULL, bits bit(9) NOT NULL, span interval NOT NULL, PRIMARY KEY (id, b)`,
    );
    const uuid = '"6ba7b810-9dad-11d1-80b4-00c04fd430c8"';
    const before = {
      b: uuid,
      id: '9007199254740993',
      ...Object.fromEntries(
        ['at', 'price', 'day', 'n', 'flag', 'body', 'raw', 'bits', 'span'].map((name) => [name, 'null']),
      ),
    };
    await databases.land(shape, [envelope('d', { before })]);
    const rows = await databases.clickhouse.rows(`SELECT id, b, _deleted FROM ${databases.name}.keyed`);
    assert.deepEqual(rows, [{ id: '9007199254740993', b: JSON.parse(uuid), _deleted: 1 }]);
    assert.deepEqual(await databases.currentRows(shape), []);
  });

  test('copied rows are older than what streams later, and newer than what went before', async () => {
    const shape = await streamTable('copied', 'id int PRIMARY KEY, v text');
    await databases.postgres.query(`INSERT INTO copied SELECT g, 'copied' FROM generate_series(1, 3) g`);
    await databases.copy(shape, versionOf({ lsn: 500n, offset: 0n }));
    await databases.land(shape, [
      envelope('u', { after: row(1, 'before'), lsn: 499 }),
      envelope('u', { after: row(2, 'after'), lsn: 501 }),
    ]);
    assert.deepEqual(await databases.currentRows(shape), [
      { id: 1, v: 'copied' },
      { id: 2, v: 'after' },
      { id: 3, v: 'copied' },
    ]);
  });

  test('creating the objects again changes nothing', async () => {
    const shape = await streamTable('again', 'id int PRIMARY KEY, v text');
    await databases.land(shape, [envelope('c', { after: row(1, 'a') })]);
    await databases.createTarget(shape);
    assert.deepEqual(await databases.currentRows(shape), [{ id: 1, v: 'a' }]);
  });

  test('a first row that equals the names of its columns is not taken for a header', async () => {
    await databases.postgres.query(
      `CREATE TABLE names (c1 text, c2 text); INSERT INTO names VALUES ('c1', 'c2'), ('String', 'String')`,
    );
    const shape = await databases.shape('names', { load: 'reference' });
    await databases.createTarget(shape);
    assert.equal(await databases.copy(shape, null), 2);
    const { source, target } = await databases.summaries(shape);
    assert.deepEqual(target, source);
  });

  test('columns may have any name', async () => {
    const names = [
      'select',
      'op',
      'before',
      'source',
      '_offset',
      'имя',
      'a.b',
      'with space',
      'back`tick',
      `quo'te`,
      'back\\slash',
      'a"b',
      'x',
    ];
    const quoted = names.map((name) => `"${name.replaceAll('"', '""')}" text`);
    await databases.postgres.query(`CREATE TABLE odd (id int PRIMARY KEY, ${quoted.join(', ')});
      INSERT INTO odd VALUES (1, ${names.map((_, i) => `'v${i}'`).join(', ')})`);
    const copied = await databases.shape('odd', { target: 'odd copied' });
    const streamed = await databases.shape('odd', { target: 'odd`streamed' });
    await databases.createTarget(copied);
    await databases.createTarget(streamed);
    await databases.copy(copied);
    const after = Object.fromEntries(names.map((name, i) => [debeziumName(name), `"v${i}"`]));
    await databases.land(streamed, [envelope('c', { after: { id: '1', ...after } })]);
    for (const shape of [copied, streamed]) {
      const { source, target } = await databases.summaries(shape);
      assert.deepEqual(target, source);
    }
  });

  test('generated columns are left out of a stream, and loaded by a reference load', async () => {
    await databases.postgres.query(`CREATE TABLE gen (id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id * 2) STORED, v text);
      INSERT INTO gen (id, v) VALUES (3, 'a')`);
    const stream = await databases.shape('gen');
    const reference = await databases.shape('gen', { load: 'reference', target: 'gen_reference' });
    for (const shape of [stream, reference]) {
      await databases.createTarget(shape);
      await databases.copy(shape, shape === stream ? 1n : null);
      const { source, target } = await databases.summaries(shape);
      assert.deepEqual(target, source);
    }
    assert.deepEqual(await databases.currentRows(stream), [{ id: 3, v: 'a' }]);
    assert.deepEqual(await databases.clickhouse.rows(`SELECT * FROM ${databases.name}.gen_reference`), [
      { id: 3, twice: 6, v: 'a' },
    ]);
  });

  test('a partitioned table and a table that others inherit from give their own rows', async () => {
    await databases.postgres.query(`
      CREATE TABLE parts (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
      CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
      CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (10) TO (20);
      INSERT INTO parts VALUES (1, 'a'), (11, 'b');
      CREATE TABLE parent (id int PRIMARY KEY, v text);
      CREATE TABLE child () INHERITS (parent);
      INSERT INTO parent VALUES (1, 'parent'); INSERT INTO child VALUES (2, 'child')`);
    for (const [name, count] of [
      ['parts', 2],
      ['parent', 1],
    ] as const) {
      const shape = await databases.shape(name);
      await databases.createTarget(shape);
      assert.equal(await databases.copy(shape), count);
      const { source, target } = await databases.summaries(shape);
      assert.deepEqual(target, source);
    }
  });

  test('a staging table is created anew', async () => {
    const shape = await databases.shape('changes', { load: 'reference', target: 'changes_ref' });
    const sql = stagingDdl(shape, 'changes_staging');
    await databases.clickhouse.command(sql);
    await databases.clickhouse.command(`INSERT INTO ${databases.name}.changes_staging VALUES (1, 'a')`);
    await databases.clickhouse.command(sql);
    assert.deepEqual(await databases.clickhouse.rows(`SELECT * FROM ${databases.name}.changes_staging`), []);
  });

  test('reference loads take every type, as text where there is no better', async () => {
    await databases.postgres.query(`CREATE TABLE shapes (p point, b box, v varbit, m int4multirange[]);
      INSERT INTO shapes VALUES ('(1,2)', '(1,1),(0,0)', B'0101', NULL)`);
    const shape = await databases.shape('shapes', { load: 'reference' });
    await databases.createTarget(shape);
    await databases.copy(shape, null);
    const rows = await databases.clickhouse.rows(`SELECT * FROM ${databases.name}.shapes`);
    assert.deepEqual(rows, [{ p: '(1,2)', b: '(1,1),(0,0)', v: '0101', m: null }]);
    const { source, target } = await databases.summaries(shape);
    assert.deepEqual(target, source);
  });

  const refused: [why: string, columns: string, code: string, words: RegExp][] = [
    ['no primary key', 'id int', 'SOURCE_NOT_READY', /ALTER TABLE "public"\."refused" ADD COLUMN id/],
    ['a type that Debezium changes', 'id int PRIMARY KEY, p point', 'UNSUPPORTED_SOURCE', /"p".*point/],
    [
      'a nullable array that a large value would turn into NULL',
      'id int PRIMARY KEY, d date[]',
      'UNSUPPORTED_SOURCE',
      /REPLICA IDENTITY FULL/,
    ],
    [
      'a column named as one of ours',
      'id int PRIMARY KEY, _version int',
      'UNSUPPORTED_SOURCE',
      /"_version".*RENAME COLUMN/,
    ],
    ['a generated key', 'a int, id int GENERATED ALWAYS AS (a) STORED PRIMARY KEY', 'SOURCE_NOT_READY', /generated/],
    [
      'REPLICA IDENTITY NOTHING',
      'id int PRIMARY KEY); ALTER TABLE refused REPLICA IDENTITY NOTHING; SELECT (1',
      'SOURCE_NOT_READY',
      /REPLICA IDENTITY DEFAULT/,
    ],
  ];
  for (const [why, columns, code, words] of refused) {
    test(`a stream refuses ${why}`, async () => {
      await databases.postgres.query(`DROP TABLE IF EXISTS refused; CREATE TABLE refused (${columns})`);
      const shape = await databases.shape('refused');
      assert.throws(
        () => streamDdl(shape),
        (error) => error instanceof TidegateError && error.code === code && words.test(error.line),
      );
    });
  }
});
