import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import {
  chIdentifier,
  chLiteral,
  chTable,
  formatTableName,
  parseTableName,
  pgIdentifier,
  pgLiteral,
  pgTable,
} from '../../core/identifiers.ts';

suite('names and literals in SQL', () => {
  test('PostgreSQL identifiers double their quotes', () => {
    assert.equal(pgIdentifier('say "hi"'), '"say ""hi"""');
    assert.equal(pgTable({ schema: 'My Schema', name: 'a.b' }), '"My Schema"."a.b"');
  });

  test('PostgreSQL literals double their quotes, and say so when they hold backslashes', () => {
    assert.equal(pgLiteral("it's"), "'it''s'");
    assert.equal(pgLiteral("\\'"), " E'\\\\'''");
  });

  test('ClickHouse identifiers and literals escape by backslash', () => {
    assert.equal(chIdentifier('a`b\\c'), '`a\\`b\\\\c`');
    assert.equal(chTable({ database: 'd', name: 'имя' }), '`d`.`имя`');
    assert.equal(chLiteral("it's \\"), "'it\\'s \\\\'");
  });

  test('table names are read as people write them, and written back', () => {
    const names: [text: string, schema: string, name: string][] = [
      ['stock', 'public', 'stock'],
      ['sales.orders', 'sales', 'orders'],
      ['"My Schema"."a.b"', 'My Schema', 'a.b'],
      ['"say ""hi"""', 'public', 'say "hi"'],
      ['склад.остатки', 'склад', 'остатки'],
    ];
    for (const [text, schema, name] of names) {
      assert.deepEqual(parseTableName(text), { schema, name });
      assert.deepEqual(parseTableName(formatTableName({ schema, name })), { schema, name });
    }
    assert.equal(formatTableName({ schema: 'public', name: 'stock' }), 'stock');
  });

  test('what is no table name is refused', () => {
    for (const text of ['', '.', 'a.', '.b', 'a.b.c', '"unfinished', 'a"b'])
      assert.equal(parseTableName(text), null, text);
  });
});
