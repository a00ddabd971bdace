import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePipeline, streamTables } from '../../core/definition.ts';
import { topicOf } from '../../core/names.ts';
import { crmTables, prosthesesFor } from '../../pipelines/crm/data.ts';
import definition from '../../pipelines/crm/pipeline.ts';
import { sendHistory, TELEMETRY_TOPIC, type TelemetryEvent, telemetry } from '../../pipelines/crm/telemetry.ts';

const DAY_MS = 86_400_000;
const UNTIL = Date.UTC(2026, 4, 20);
const WEEK = { prostheses: 40, seed: 7, until: UNTIL, days: 7 };

function rowsOf(options: { rows: number; seed: number }, table: string): unknown[][] {
  return [...crmTables(options).find(({ name }) => name === table)!.rows].map((row) => [...row]);
}

test('the same seed gives the same users, prostheses and events, another seed others', () => {
  const all = (seed: number) =>
    JSON.stringify([rowsOf({ rows: 5000, seed }, 'users'), rowsOf({ rows: 5000, seed }, 'prostheses')]);
  assert.equal(all(7), all(7));
  assert.notEqual(all(7), all(8));
  assert.deepEqual([...telemetry(WEEK)], [...telemetry(WEEK)]);
  assert.notDeepEqual([...telemetry(WEEK)].slice(0, 5), [...telemetry({ ...WEEK, seed: 8 })].slice(0, 5));
});

test('every prosthesis is worn by a known user or lies in the workshop; the first two users have one each', () => {
  const options = { rows: 100_000, seed: 1 };
  const users = rowsOf(options, 'users');
  const prostheses = rowsOf(options, 'prostheses');
  assert.equal(prostheses.length, prosthesesFor(options.rows));
  assert.equal(new Set(users.map(([, email]) => email)).size, users.length);
  const known = new Set<unknown>([null, ...users.map(([id]) => id)]);
  assert.ok(prostheses.every(([, user]) => known.has(user)));
  assert.ok(prostheses.some(([, user]) => user === null));
  assert.deepEqual(
    prostheses.slice(0, 2).map(([, user]) => user),
    [1, 2],
  );
  assert.equal(rowsOf({ rows: 1, seed: 1 }, 'users').length, 2);
});

test('telemetry is worn by day and charged by night, and comes late and twice now and then', () => {
  const events = [...telemetry(WEEK)];
  assert.ok(events.length > 40 * 7 * 25 && events.length < 40 * 7 * 50, `${events.length} events`);
  const byHour = (from: number, to: number) =>
    events.filter(({ recorded_at }) => {
      const hour = new Date(recorded_at).getUTCHours();
      return hour >= from && hour < to;
    }).length;
  assert.equal(byHour(0, 5), 0);
  assert.ok(byHour(9, 12) > byHour(12, 15) && byHour(17, 20) > byHour(20, 23));
  const repeated = events.length - new Set(events.map(({ event_id }) => event_id)).size;
  assert.ok(repeated > 0 && repeated < events.length / 50, `${repeated} repeated`);
  let newest = 0;
  const late = events.filter(({ recorded_at }) => {
    const at = Date.parse(recorded_at);
    newest = Math.max(newest, at);
    return at < newest - 3_600_000;
  });
  assert.ok(late.length > events.length / 100 && late.length < events.length / 20, `${late.length} late`);
  assert.ok(events.every(({ recorded_at }) => Date.parse(recorded_at) < UNTIL));
  assert.ok(events.every(({ battery }) => battery >= 1 && battery <= 100));
  assert.ok(events.some(({ error_code }) => error_code !== null));
});

test('a first load in two days sends the days that both cover with the same ids', () => {
  const ids = (until: number, days: number) =>
    new Set([...telemetry({ ...WEEK, until, days })].map(({ event_id }) => event_id));
  const whole = ids(UNTIL, 7);
  assert.ok([...ids(UNTIL - DAY_MS, 3)].every((id) => whole.has(id)));
});

test('the first load sends every event to its topic, keyed by the prosthesis, and stops when it is told to', async () => {
  const sent: TelemetryEvent[] = [];
  const events = {
    send: async (topic: string, messages: readonly { key: string; value: string }[]) => {
      assert.equal(topic, TELEMETRY_TOPIC);
      for (const { key, value } of messages) {
        const event: TelemetryEvent = JSON.parse(value);
        assert.equal(key, String(event.prosthesis_id));
        sent.push(event);
      }
    },
  };
  const now = UNTIL + 5 * 3_600_000;
  assert.equal(await sendHistory({ events, seed: 7, now }, 5), sent.length);
  assert.deepEqual(sent, [...telemetry({ prostheses: 5, seed: 7, until: UNTIL })]);
  await assert.rejects(
    sendHistory({ events, seed: 7, now, signal: AbortSignal.abort(new Error('enough')) }, 5),
    /enough/,
  );
});

test('the definition keeps the names that people know', () => {
  const pipeline = parsePipeline(definition, 'pipelines/crm/pipeline.ts');
  const { connector, publication } = pipeline.stream;
  assert.deepEqual([pipeline.name, pipeline.database], ['crm', 'reports_db']);
  assert.deepEqual([connector, publication], ['crm-postgres-connector', 'debezium_publication']);
  assert.deepEqual(
    streamTables(pipeline).map((table) => [topicOf(pipeline, table), table.target]),
    [
      ['crm_db.public.users', 'users_target'],
      ['crm_db.public.prostheses', 'prostheses_target'],
    ],
  );
  assert.ok(pipeline.views.some(({ name }) => name === 'crm_data_mart'));
});
