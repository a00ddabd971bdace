import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { parsePipeline } from '../../core/definition.ts';
import { martInputs } from '../../core/martInputs.ts';

const readings = {
  columns: {
    id: { type: 'UInt64' },
    at: { type: 'DateTime64(3)' },
    sent: { type: 'DateTime', optional: true as const },
  },
  key: ['id'],
};
const daily = {
  ...{ file: 'daily.sql', key: ['device', 'day'], period: 'day' },
  ...{ inputs: ['devices', 'readings'], late: { input: 'readings', time: 'at' } },
};
const parse = (mart: object) =>
  parsePipeline(
    {
      ...{ name: 'lab', source: 'LAB_URL', tables: { devices: {}, models: { load: 'reference' } } },
      ...{ events: { readings }, marts: { daily: { ...daily, ...mart } } },
    },
    'lab/pipeline.ts',
  );

suite('a mart', () => {
  test('is merged by month every morning, two hours after the day at the earliest, unless it says otherwise', () => {
    const [mart] = parse({}).marts;
    const { partitionBy, latenessSeconds, schedule } = mart!;
    assert.deepEqual(
      { partitionBy, latenessSeconds, schedule },
      {
        ...{ partitionBy: 'month', latenessSeconds: 7200, schedule: '0 5 * * *' },
      },
    );
    assert.equal(parse({ lateness: '3d' }).marts[0]!.latenessSeconds, 259_200);
  });

  test('reads stream tables and event topics, each through its topic', () => {
    const pipeline = parse({});
    assert.deepEqual(
      martInputs(pipeline, pipeline.marts[0]!).map(({ kind, topic }) => [kind, topic]),
      [
        ['changes', 'lab.public.devices'],
        ['events', 'readings'],
      ],
    );
  });

  const wrong: [why: string, mart: object, words: RegExp][] = [
    ['an input that is not streamed', { inputs: ['models', 'readings'] }, /'models' is the target of no stream table/],
    ['late input that it does not read', { inputs: ['devices'] }, /'readings' is not one of its inputs/],
    [
      'late input from a table',
      { late: { input: 'devices', time: 'at' } },
      /'devices' is the target of no event topic/,
    ],
    ['a time that events may lack', { late: { input: 'readings', time: 'sent' } }, /'sent' is not a time/],
    ['a key without the period', { key: ['device'] }, /lacks the period's column 'day'/],
    ['a lateness that is none', { lateness: 'soon' }, /like 2h/],
  ];
  for (const [why, mart, words] of wrong) {
    test(`is refused for ${why}`, () => assert.throws(() => parse(mart), words));
  }
});
