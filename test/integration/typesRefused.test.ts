import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { classify } from '../../core/clickhouseErrors.ts';
import { UNAVAILABLE_VALUE } from '../../core/connectorConfig.ts';
import type { TargetShape } from '../../core/typeMapping.ts';
import { envelope, TwoDatabases } from './typesSupport.ts';

/** What the insert of one message fails with, and what that means. */
interface Refusal {
  code: string;
  message: string;
  kind: string;
}

suite('a value that ClickHouse would change silently is refused', () => {
  let databases: TwoDatabases;
  let shape: TargetShape;

  before(async () => {
    databases = await TwoDatabases.create();
    await databases.postgres.query(`CREATE TABLE t (id int PRIMARY KEY, small smallint, flag boolean, big bigint NOT NULL DEFAULT 1,
      price numeric(10,2), day date, at timestamp, seen timestamptz, body text, code uuid, raw bytea, tags text[], counts int[],
      ids uuid[], span interval, mask bit(3))`);
    shape = await databases.shape('t');
    await databases.createTarget(shape);
  });
  after(() => databases.drop());

  const nulls = {
    ...{
      id: '1',
      small: 'null',
      flag: 'null',
      big: '1',
      price: 'null',
      day: 'null',
      at: 'null',
      seen: 'null',
      body: 'null',
    },
    ...{ code: 'null', raw: 'null', tags: 'null', counts: 'null', ids: 'null', span: 'null', mask: 'null' },
  };

  async function refusalOf(message: string): Promise<Refusal> {
    try {
      await databases.land(shape, [message]);
    } catch (error) {
      const { code, message } = error as { code: string; message: string };
      return { code, message, kind: classify(code, message) };
    }
    const rows = await databases.currentRows(shape);
    assert.fail(`nothing was refused; stored: ${JSON.stringify(rows)}`);
  }

  const values: [why: string, column: string, json: string][] = [
    ['an integer out of range', 'id', '3000000000'],
    ['a smallint out of range, in a column that may be NULL', 'small', '32768'],
    ['a bigint out of range', 'big', '9223372036854775808'],
    ['a fraction in an integer', 'id', '1.5'],
    ['a text in an integer', 'id', '"abc"'],
    ['NULL where the source has none', 'big', 'null'],
    ['another word for true', 'flag', '"yes"'],
    ['more digits than the scale', 'price', '"1.234"'],
    ['fewer digits than the scale, which no such column sends', 'price', '"1.2"'],
    ['more digits than a Decimal holds', 'price', `"${'9'.repeat(40)}.00"`],
    ['NaN in a Decimal', 'price', '"NAN"'],
    ['a date before 1900', 'day', '"1899-12-31Z"'],
    ['a date after 2299', 'day', '"9999-12-31Z"'],
    ['a date of infinity', 'day', '"-5877611-06-21Z"'],
    ['a date before Christ', 'day', '"-0043-03-15Z"'],
    ['30 February', 'day', '"2020-02-30Z"'],
    ['a timestamp of infinity', 'at', '"+294247-01-10T04:00:25.2Z"'],
    ['a timestamp of -infinity', 'at', '"-290308-12-21T19:59:27.6Z"'],
    ['a timestamp before Christ', 'at', '"-0043-03-15T00:00:00Z"'],
    ['a timestamp of five digits of years', 'at', '"+12345-01-01T00:00:00Z"'],
    ['a timestamp on 30 February', 'at', '"2020-02-30T00:00:00Z"'],
    ['a timestamptz of infinity', 'seen', '"infinity"'],
    ['a timestamptz with another offset than UTC', 'seen', '"2020-01-01T00:00:00+05:00"'],
    ['nanoseconds', 'seen', '"2020-01-01T00:00:00.123456789Z"'],
    ['a text that is no UUID', 'code', '"6ba7b810"'],
    ['an odd number of hexadecimal digits', 'raw', '"abc"'],
    ['what is not hexadecimal', 'raw', '"zz"'],
    ['an object in an array', 'tags', '[{"a":1}]'],
    ['an array in an array', 'tags', '[["a"]]'],
    [
      'the name of a Java array, which stands for one of more dimensions',
      'tags',
      '["[Ljava.lang.String;@1b6d3586",null]',
    ],
    ['the same of three dimensions', 'tags', '["[[Ljava.lang.Object;@fa0"]'],
    ['a text in an array of integers', 'counts', '["x"]'],
    ['a text instead of an array', 'counts', '"{1,2}"'],
    ['an interval that is not one', 'span', '"1 day"'],
    ['bits that are none', 'mask', '"1012"'],
    ['an unchanged large text', 'body', JSON.stringify(UNAVAILABLE_VALUE)],
    ['unchanged large bytes', 'raw', JSON.stringify(UNAVAILABLE_VALUE)],
    ['an unchanged large array of texts', 'tags', JSON.stringify([UNAVAILABLE_VALUE])],
    ['an unchanged large array of integers', 'counts', JSON.stringify([...Buffer.from(UNAVAILABLE_VALUE)])],
    ['an unchanged large array of UUIDs', 'ids', '["7bfa299c-c26d-3c9b-9e7c-1b0dbdca2350"]'],
  ];
  for (const [why, column, json] of values) {
    test(why, async () => {
      const { kind, code, message } = await refusalOf(envelope('c', { after: { ...nulls, [column]: json } }));
      assert.equal(kind, 'bad-data', `${code}: ${message}`);
    });
  }

  test('an unknown column is drift', async () => {
    const { kind, message } = await refusalOf(envelope('c', { after: { ...nulls, extra: '1' } }));
    assert.equal(kind, 'drift', message);
  });

  test('a missing column is drift', async () => {
    const { body: _, ...rest } = nulls;
    const { kind, message } = await refusalOf(envelope('c', { after: rest }));
    assert.equal(kind, 'drift', message);
  });

  test('an operation that is not one of a row', async () => {
    assert.equal((await refusalOf(envelope('c', { after: nulls }).replace('"op":"c"', '"op":"x"'))).kind, 'bad-data');
  });

  test('a message without an LSN', async () => {
    const message = envelope('c', { after: nulls }).replace(/"lsn":\d+/, '"lsn":null');
    assert.equal((await refusalOf(message)).kind, 'bad-data');
  });

  test('a delete without its key', async () => {
    assert.equal((await refusalOf(envelope('d', {}))).kind, 'bad-data');
  });

  test('broken JSON', async () => {
    assert.equal((await refusalOf(`${envelope('c', { after: nulls }).slice(0, -20)}`)).kind, 'bad-data');
  });

  test('one bad message keeps the whole insert out', async () => {
    assert.deepEqual(await databases.currentRows(shape), []);
    const good = envelope('c', { after: { ...nulls, id: '7' } });
    const bad = envelope('c', { after: { ...nulls, id: '8', small: '99999' } });
    await assert.rejects(databases.land(shape, [good, bad, good]));
    assert.deepEqual(await databases.currentRows(shape), []);
  });

  test('a load refuses what a stream refuses', async () => {
    for (const [type, value] of [
      ['date', `'infinity'`],
      ['timestamp', `'infinity'`],
      ['timestamptz', `'-infinity'`],
      ['timestamp', `'2024-01-02 BC'`],
      ['timestamptz', `'20240-01-02'`],
      ['numeric(10,2)', `'NaN'`],
      ['interval', `'infinity'`],
      ['int[]', `'{{1,2},{3,4}}'`],
      ['date', `'0044-03-15 BC'`],
      ['timestamp', `'12345-01-01'`],
    ]) {
      await databases.postgres.query(
        `DROP TABLE IF EXISTS one; CREATE TABLE one (v ${type}); INSERT INTO one VALUES (${value})`,
      );
      const one = await databases.shape('one', { load: 'reference' });
      await databases.clickhouse.command(`DROP TABLE IF EXISTS ${databases.name}.one SYNC`);
      await databases.createTarget(one);
      await assert.rejects(databases.copy(one, null), (error: { code: string; message: string }) => {
        assert.equal(classify(error.code, error.message), 'bad-data', `${type} ${value}: ${error.message}`);
        return true;
      });
    }
  });
});
