import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { findTable, parsePipeline, referenceTables, streamTables } from '../../core/definition.ts';
import { TidegateError } from '../../core/errors.ts';

suite('a pipeline definition', () => {
  const least = { name: 'shop', source: 'SHOP_DATABASE_URL', tables: { orders: {} } };

  test('needs a name, a source and a table; the rest has defaults', () => {
    assert.deepEqual(parsePipeline(least, 'test'), {
      name: 'shop',
      source: { url: 'SHOP_DATABASE_URL', captureUrl: 'SHOP_DATABASE_URL' },
      database: 'shop',
      stream: {
        ...{ connector: 'shop', topicPrefix: 'shop', slot: 'tidegate_shop' },
        ...{ publication: 'tidegate_shop', consumerGroup: 'tidegate-shop' },
        ...{ partitions: 1, replicationFactor: 1, ingest: 'activity' },
      },
      deadLetters: { stopAfter: null },
      tables: [
        {
          ...{ schema: 'public', name: 'orders', label: 'orders', load: 'stream', target: 'orders' },
          ...{
            currentView: 'orders_current',
            duplicates: null,
            excluded: [],
            hashed: [],
            history: null,
            schedule: null,
          },
        },
      ],
      events: [],
      outboxes: [],
      views: [],
      marts: [],
      keyedMarts: [],
    });
  });

  test('keeps the names that it gives', () => {
    const pipeline = parsePipeline(
      {
        ...least,
        source: { url: 'A_URL', captureUrl: 'B_URL' },
        database: 'sales',
        stream: { slot: 'mine', connector: 'shop.orders' },
        tables: {
          'sales.orders': { target: 'kafka_orders', currentView: 'orders_v' },
          regions: { load: 'reference', schedule: '30 4 * * 1-5' },
          '"a.b"': { load: 'reference' },
        },
      },
      'test',
    );
    assert.deepEqual(pipeline.source, { url: 'A_URL', captureUrl: 'B_URL' });
    assert.equal(pipeline.stream.slot, 'mine');
    assert.equal(pipeline.stream.publication, 'tidegate_shop');
    assert.deepEqual(
      streamTables(pipeline).map((table) => [table.label, table.target, table.currentView]),
      [['sales.orders', 'kafka_orders', 'orders_v']],
    );
    assert.deepEqual(
      referenceTables(pipeline).map((table) => [table.label, table.schedule]),
      [
        ['regions', '30 4 * * 1-5'],
        ['"a.b"', '0 3 * * *'],
      ],
    );
    assert.equal(findTable(pipeline, 'sales.orders').target, 'kafka_orders');
    assert.throws(() => findTable(pipeline, 'orders'), { code: 'UNKNOWN_TABLE' });
  });

  test('survives being written as JSON', () => {
    const pipeline = parsePipeline(least, 'test');
    assert.deepEqual(JSON.parse(JSON.stringify(pipeline)), pipeline);
  });

  const wrong: [why: string, change: object, words: RegExp][] = [
    ['a name with capitals', { name: 'Shop' }, /name: must start/],
    ['a field that there is none of', { speed: 9 }, /speed/],
    ['no table', { tables: {} }, /at least one table/],
    ['a password instead of the name of a variable', { source: 'postgres://a:b@c/d' }, /source: /],
    [
      'a schedule for a stream',
      { tables: { a: { schedule: '0 3 * * *' } } },
      /tables\.a: a stream table has no schedule/,
    ],
    ['a schedule that is none', { tables: { a: { load: 'reference', schedule: 'daily' } } }, /cron/],
    [
      'a current view of a reference table',
      { tables: { a: { load: 'reference', currentView: 'v' } } },
      /no currentView/,
    ],
    ['a table name that is none', { tables: { 'a.b.c': {} } }, /'a\.b\.c' is not a table name/],
    ['two tables with one target', { tables: { a: {}, 'x.a': {} } }, /created as 'a'/],
    ['a view named as a target', { views: [{ name: 'orders_current', file: 'x.sql' }] }, /created as 'orders_current'/],
    [
      'a table named as what another brings',
      { tables: { a: {}, a_landing: {} } },
      /as 'a_landing', for a and for a_landing/,
    ],
    [
      'two tables with one topic',
      { tables: { 'a b': {}, a_b: {} } },
      /"a b" and a_b would share the topic 'shop\.public\.a_b': rename/,
    ],
    [
      'topics that Kafka takes for one',
      { tables: { '"a.b"': {}, a_b: {} } },
      /"a\.b" and a_b would have the topics .* which Kafka takes for one/,
    ],
    [
      'a topic of a table and of events',
      { events: { e: { topic: 'shop.public.orders', columns: { id: { type: 'UUID' } }, key: ['id'] } } },
      /orders and events\.e would share the topic/,
    ],
    ['a slot name that PostgreSQL refuses', { stream: { slot: 'My-Slot' } }, /slot/],
  ];
  for (const [why, change, words] of wrong) {
    test(`is refused for ${why}`, () => {
      assert.throws(
        () => parsePipeline({ ...least, ...change }, 'shop/pipeline.ts'),
        (error) =>
          error instanceof TidegateError &&
          error.code === 'INVALID_DEFINITION' &&
          words.test(error.line) &&
          error.line.includes('shop/pipeline.ts'),
      );
    });
  }

  test('a history says which operations it keeps and where it begins, and has no current rows', () => {
    const table = (history: unknown, more = {}) =>
      parsePipeline({ ...least, tables: { orders: { history, ...more } } }, 'test').tables[0]!;
    const { history, currentView } = table({ operations: ['u', 'd'], start: '2h' });
    assert.deepEqual(history, { operations: ['u', 'd'], start: { seconds: 7200 } });
    assert.equal(currentView, null);
    assert.equal(table({ operations: ['u'] }).history?.start, 'earliest');
    for (const wrong of [{ operations: [] }, { operations: ['x'] }, { operations: ['u'], start: 'yesterday' }]) {
      assert.throws(() => table(wrong), { code: 'INVALID_DEFINITION' });
    }
    assert.throws(() => table({ operations: ['u'] }, { currentView: 'v' }), { code: 'INVALID_DEFINITION' });
    assert.throws(() => table({ operations: ['u'] }, { load: 'reference' }), { code: 'INVALID_DEFINITION' });
  });
});
