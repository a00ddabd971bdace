import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type PipelineInput, parsePipeline } from '../../core/definition.ts';

const least: PipelineInput = {
  ...{ name: 'p', source: { url: 'P_URL', captureUrl: 'P_CAPTURE_URL' } },
  events: { mails: { columns: { id: { type: 'Int64' }, to: { type: 'String', from: 'who' } }, key: ['id'] } },
  outboxes: {
    'app.post': { event: 'mails', id: 'nr', sent: 'gone', partitionBy: 'user', fields: { id: 'nr', who: 'user' } },
  },
};
const [outbox] = Object.values(least.outboxes!);
const parse = (changes: object) =>
  parsePipeline({ ...least, outboxes: { 'app.post': { ...outbox, ...changes } } }, 'p');

test('an outbox has defaults for its role and its pace', () => {
  assert.deepEqual(parse({}).outboxes, [
    {
      ...{ schema: 'app', name: 'post', label: 'app.post', event: 'mails', topic: 'mails', id: 'nr', sent: 'gone' },
      fields: [
        { name: 'id', column: 'nr', epoch: null },
        { name: 'who', column: 'user', epoch: null },
      ],
      ...{ partitionBy: 'user', url: 'P_CAPTURE_URL', batch: 2000, pauseMs: 0 },
    },
  ]);
});

test('an outbox whose rows could not be told apart, or would all be dead letters, is refused', () => {
  const refused: [object, RegExp][] = [
    [{ event: 'letters' }, /there is no event topic 'letters'/],
    [{ fields: { id: 'nr' } }, /'who' is missing, which events.mails needs/],
    [{ fields: { id: 'user', who: 'nr' } }, /the key of events.mails must be the field of 'nr' alone/],
    [{ fields: { id: { column: 'nr', epoch: 'seconds' }, who: 'user' } }, /must be the field of 'nr' alone/],
    [{ batch: 0 }, /batch/],
    [{ url: 'postgres://secret' }, /must be the name of an environment variable/],
  ];
  for (const [changes, message] of refused) assert.throws(() => parse(changes), message);
  const both = { ...least, outboxes: { a: outbox!, b: outbox! } };
  assert.throws(() => parsePipeline(both, 'p'), /two of them are sent to events.mails/);
});
