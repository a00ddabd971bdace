import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type PipelineInput, parsePipeline } from '../../core/definition.ts';
import { streamLanes } from '../../core/lanes.ts';

type EventInput = NonNullable<PipelineInput['events']>[string];
const event: EventInput = {
  columns: { id: { type: 'UUID' }, at: { type: 'DateTime', epoch: 'seconds' } },
  key: ['id'],
};
const parse = (changes: object, further: object = {}) =>
  parsePipeline({ name: 'p', source: 'P_URL', events: { clicks: { ...event, ...changes } }, ...further }, 'p');

test('an event topic needs only columns and a key, and its pipeline no table', () => {
  const [found] = parse({}).events;
  assert.deepEqual(
    { ...found, columns: found?.columns.map(({ name, from }) => [name, from]) },
    {
      ...{ label: 'clicks', topic: 'clicks', partitions: 1, target: 'clicks', currentView: 'clicks_current' },
      ...{
        columns: [
          ['id', 'id'],
          ['at', 'at'],
        ],
        key: ['id'],
        partitionBy: null,
      },
    },
  );
  assert.deepEqual(
    streamLanes(parse({})).map(({ kind, topic }) => [kind, topic]),
    [['events', 'clicks']],
  );
});

test('a definition that could not keep events apart, or values exact, is refused with its reason', () => {
  const refused: [object, RegExp][] = [
    [{ key: ['nr'] }, /there is no column 'nr'/],
    [{ key: ['id', 'id'] }, /named twice/],
    [{ columns: { id: { type: 'UUID', optional: true } } }, /'id' is optional/],
    [{ columns: { id: { type: 'Json' } } }, /type: is not a type that events may have/],
    [{ columns: { id: { type: 'String', epoch: 'seconds' } } }, /String has no epoch/],
    [{ columns: { id: { type: 'UUID' }, _at: { type: 'Date' } } }, /must not begin with _/],
    [{ partitionBy: { month: 'id' } }, /not a date or time/],
  ];
  for (const [changes, message] of refused) assert.throws(() => parse(changes), message);
  assert.throws(() => parse({}, { tables: { clicks: {} } }), /a table has this name/);
  assert.throws(
    () => parse({}, { events: { a: { ...event, topic: 't' }, b: { ...event, topic: 't' } } }),
    /the topic 't'/,
  );
  const streamed = { tables: { orders: {} }, events: { a: { ...event, topic: 'p.public.orders' } } };
  assert.throws(() => parse({}, streamed), /orders and events.a would share the topic 'p.public.orders'/);
  assert.throws(() => parse({}, { events: {} }), /needs at least one table, or events/);
});
