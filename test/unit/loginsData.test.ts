import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePipeline } from '../../core/definition.ts';
import { loginsTable } from '../../pipelines/logins/data.ts';
import definition from '../../pipelines/logins/pipeline.ts';

const rowsOf = (options: { rows: number; seed: number }) =>
  [...loginsTable(options).rows].map(([username, event, at]) => ({
    username: String(username),
    event,
    at: String(at),
  }));

test('the same seed gives the same logins, another seed others, and the size is that asked for', () => {
  assert.deepEqual(rowsOf({ rows: 2000, seed: 7 }), rowsOf({ rows: 2000, seed: 7 }));
  assert.notDeepEqual(rowsOf({ rows: 2000, seed: 7 }), rowsOf({ rows: 2000, seed: 8 }));
  assert.equal(rowsOf({ rows: 777, seed: 1 }).length, 777);
});

test('events follow each other in time, and nobody logs out who has not logged in', () => {
  const inside = new Set<string>();
  let before = '';
  for (const { username, event, at } of rowsOf({ rows: 10_000, seed: 3 })) {
    assert.ok(at >= before, 'in the order of time');
    before = at;
    if (event === 'logout' || event === 'password_change') assert.ok(inside.has(username), `${username} ${event}`);
    if (event === 'login' || event === 'login_failed') assert.ok(!inside.has(username), `${username} ${event}`);
    if (event === 'login') inside.add(username);
    if (event === 'logout') inside.delete(username);
  }
});

test('the pipeline keeps the names that people know', () => {
  const { database, stream, events, outboxes } = parsePipeline(definition, 'pipelines/logins/pipeline.ts');
  assert.deepEqual([database, stream.consumerGroup], ['logins', 'user_logins_consumer']);
  const [{ topic, partitions, currentView, columns }] = events as [(typeof events)[number]];
  assert.deepEqual([topic, partitions, currentView], ['user_events', 3, 'user_logins']);
  assert.deepEqual(
    columns.map(({ from }) => from),
    ['id', 'user', 'event', 'timestamp'],
  );
  const [{ label, sent }] = outboxes as [(typeof outboxes)[number]];
  assert.deepEqual([label, sent], ['user_logins', 'sent_to_kafka']);
});
