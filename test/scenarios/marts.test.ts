import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { dayAfter, dayOf, daysBetween } from '../../core/days.ts';
import type { TelemetryEvent } from '../../pipelines/crm/telemetry.ts';
import { Random } from '../../pipelines/random.ts';
import { event, MartLab, type Row } from './martLab.ts';
import { until } from './until.ts';

/** Forty days, so that they lie in two months at least; the last is the day before yesterday, whose late events are in. */
const LAST = dayAfter(dayOf(Date.now()), -2);
const DAYS = daysBetween({ from: dayAfter(LAST, -39), to: LAST });
const ROUNDS = 4;
const ALL = { from: DAYS[0]!, to: LAST };
const one = (day: string) => ({ from: day, to: day });
const within = (day: string, random: Random) => Date.parse(day) + Math.floor(random.next() * 86_400_000);

suite('a mart', () => {
  let lab: MartLab;
  before(async () => {
    lab = await MartLab.open({ label: 'mart', workers: 'child' });
  });
  after(() => lab?.[Symbol.asyncDispose]());

  test('equals a recomputation, and is processed when everything that landed is merged, never earlier', async () => {
    const seed = Date.now() % 2 ** 32;
    const random = new Random(seed);
    /** The model: events by day, the days that are merged, and those that may, or must, have something new. */
    const sent = new Map<string, TelemetryEvent[]>(DAYS.map((day) => [day, []]));
    const merged = new Set<string>();
    const renewed = new Set<string>();
    const repeated = new Set<string>();
    const stop = new AbortController();
    const watching = neverEarly(lab, { random: new Random(seed + 1), signal: stop.signal });
    for (let round = 0; round < ROUNDS; round++) {
      const batch: TelemetryEvent[] = [];
      for (let i = 0; i < 60; i++) {
        // Later days get more, as if time went on; the others' events are late.
        const day = DAYS[Math.min(DAYS.length - 1, Math.floor(Math.sqrt(random.next()) * (round + 3) * 7))]!;
        const earlier = sent.get(day)!;
        if (earlier.length > 0 && random.chance(0.2)) {
          batch.push(random.pick(earlier));
          repeated.add(day);
        } else {
          const error = random.chance(0.1) ? 'E01_ELECTRODE_CONTACT' : null;
          // Of forty prostheses the CRM knows thirty.
          const made = event(random.between(1, 40), within(day, random), {
            ...{ battery: random.between(1, 100), response_time_ms: random.between(40, 900), error_code: error },
            ...{ grip_force: random.between(0, 900) / 10, movement: random.pick(['grip', 'open', 'rotate']) },
          });
          earlier.push(made);
          batch.push(made);
          renewed.add(day);
        }
      }
      await lab.send(batch.sort(() => random.next() - 0.5));
      await lab.scenario.waitUntilCaughtUp();
      const answers = await Promise.all(DAYS.map((day) => lab.processed(one(day))));
      for (const [index, day] of DAYS.entries()) {
        const processed = answers[index]!;
        if (!merged.has(day) || renewed.has(day))
          assert.equal(processed, false, `seed ${seed}: ${day}, round ${round}`);
        else if (!repeated.has(day)) assert.equal(processed, true, `seed ${seed}: ${day}, round ${round}`);
      }
      const from = random.between(0, DAYS.length - 1);
      const some = { from: DAYS[from]!, to: DAYS[Math.min(DAYS.length - 1, from + random.between(0, 25))]! };
      const result = round % 3 === 2 ? await lab.merge() : await lab.merge(some);
      for (const day of result.parts.flatMap(({ days }) => days)) {
        merged.add(day);
        renewed.delete(day);
        repeated.delete(day);
      }
      const [allHeld, allRecomputed] = await Promise.all([lab.held(ALL), lab.recomputed(ALL)]);
      for (const day of DAYS.filter((each) => merged.has(each) && !renewed.has(each))) {
        const of = (rows: Row[]) => rows.filter((row) => row['day'] === day);
        const held = of(allHeld);
        assert.deepEqual(held, of(allRecomputed), `seed ${seed}: ${day}, round ${round}`);
        const events = sent.get(day)!;
        const errors = events.filter(({ error_code }) => error_code !== null).length;
        const sum = (name: string) => held.reduce((total, row) => total + Number(row[name]), 0);
        assert.deepEqual([sum('events'), sum('errors')], [events.length, errors], `seed ${seed}: ${day}`);
      }
    }
    // By range: a day without events that no merge was asked for is not one that needs it.
    await lab.merge(ALL);
    assert.equal(await lab.processed(ALL), true, `seed ${seed}`);
    assert.equal(await lab.processed({ ...ALL, to: dayOf(Date.now()) }), false);
    await lab.assertEqual(ALL);
    stop.abort();
    assert.ok((await watching) > 10);
  });

  test('is not processed while its input is missing: a merge waits for a paused stream', async () => {
    const day = DAYS[5]!;
    await lab.scenario.pause();
    await lab.send([event(1, `${day}T10:00:00Z`)]);
    const before = await lab.held(one(day));
    const end = await lab.startMerge(one(day));
    const { client } = lab.scenario.temporal;
    const id = `merge-${lab.scenario.name}-prosthesis_reports_mart-${day}..${day}`;
    await until(
      async () => {
        const { raw } = await client.workflow.getHandle(id).describe();
        return Buffer.from(raw.pendingActivities?.[0]?.heartbeatDetails?.payloads?.[0]?.data ?? []).toString();
      },
      (heartbeat) => heartbeat.includes('STREAM_PAUSED'),
      { what: 'the merge says what it waits for' },
    );
    assert.deepEqual(await lab.held(one(day)), before);
    await lab.scenario.resume();
    await end();
    assert.equal(await lab.processed(one(day)), true);
    await lab.assertEqual(one(day));
    assert.notDeepEqual(await lab.held(one(day)), before);
  });

  test('is never seen in part by readers while its days are merged', async () => {
    const days = DAYS.slice(-5);
    const range = { from: days[0]!, to: days.at(-1)! };
    const ids = Array.from({ length: 25 }, (_, index) => 1000 + index);
    const add = () => lab.send(days.flatMap((day) => ids.flatMap((id) => [event(id, `${day}T08:00:00Z`)])));
    await add();
    await lab.merge(range);
    const stop = new AbortController();
    const readers = Array.from({ length: 4 }, async () => {
      const seen = new Set<number>();
      let newest = 0;
      while (!stop.signal.aborted) {
        const rows = await lab.rows(`SELECT day, count() AS rows, min(events) AS low, max(events) AS high
          FROM prosthesis_reports_mart WHERE prosthesis_id >= 1000 GROUP BY day ORDER BY day`);
        const lows = rows.map(({ low }) => Number(low));
        assert.deepEqual(
          rows.map(({ day, rows: count, low, high }) => [day, Number(count), high === low]),
          days.map((day) => [day, ids.length, true]),
        );
        assert.ok(Math.min(...lows) >= newest, 'the mart goes back');
        newest = Math.min(...lows);
        seen.add(newest);
      }
      return seen.size;
    });
    // A reader that has found something ends the test at once.
    const found = Promise.all(readers);
    const merging = (async () => {
      for (let round = 0; round < 4; round++) {
        await add();
        // A merge of other days that shares the partition is under way at the same time.
        await Promise.all([lab.merge(range), lab.merge(one(dayAfter(range.from, -1)))]);
      }
      stop.abort();
    })();
    await Promise.race([found, merging]);
    await merging;
    for (const states of await found) assert.ok(states > 2, `a reader saw ${states} states`);
  });

  test('keeps what the CRM said when a day was merged, until it is merged again', async () => {
    const [day, other] = [DAYS[20]!, DAYS[21]!];
    const ids = '(5, 6, 7, 99)';
    await lab.send([5, 6, 7, 99].flatMap((id) => [event(id, `${day}T12:00:00Z`), event(id, `${other}T12:00:00Z`)]));
    await lab.merge({ from: day, to: other });
    const crm = async (which: string) =>
      await lab.rows(`SELECT prosthesis_id, user_id, user_name, prosthesis_model FROM prosthesis_reports_mart
        WHERE day = '${which}' AND prosthesis_id IN ${ids} ORDER BY prosthesis_id`);
    const row = (prosthesis_id: number, user_id: number, user_name: string, prosthesis_model: string) => {
      return { prosthesis_id, user_id, user_name, prosthesis_model };
    };
    const model = 'Nova Hand S1';
    const earlier = [
      ...[row(5, 5, 'User 5', model), row(6, 6, 'User 6', model), row(7, 7, 'User 7', model)],
      row(99, 0, '', ''),
    ];
    assert.deepEqual(await crm(day), earlier);
    await lab.scenario.sql(`UPDATE users SET user_name = 'Renamed' WHERE user_id = 5;
      UPDATE prostheses SET prosthesis_model = 'Atlas Arm X' WHERE prosthesis_id = 6;
      DELETE FROM prostheses WHERE prosthesis_id = 7`);
    await lab.scenario.waitUntilCaughtUp();
    const current = await lab.rows(`SELECT user_id, user_name, prosthesis_id, prosthesis_model FROM crm_data_mart
      WHERE user_id IN (5, 6, 7) AND (prosthesis_id < 20 OR prosthesis_id IS NULL) ORDER BY user_id`);
    assert.deepEqual(current, [
      { user_id: 5, user_name: 'Renamed', prosthesis_id: 5, prosthesis_model: model },
      { user_id: 6, user_name: 'User 6', prosthesis_id: 6, prosthesis_model: 'Atlas Arm X' },
    ]);
    assert.equal(await lab.processed({ from: day, to: other }), true);
    assert.deepEqual(await crm(day), earlier);
    await lab.merge(one(day));
    assert.deepEqual(await crm(day), [
      ...[row(5, 5, 'Renamed', model), row(6, 6, 'User 6', 'Atlas Arm X'), row(7, 0, '', ''), row(99, 0, '', '')],
    ]);
    assert.deepEqual(await crm(other), earlier);
  });
});

/**
 * Asks again and again, while events arrive and merges run: whenever a day is said to be processed before and after, and
 * was not merged in between, the mart holds what its SELECT gives.
 * @returns how often that was so.
 */
async function neverEarly(lab: MartLab, { random, signal }: { random: Random; signal: AbortSignal }): Promise<number> {
  let looked = 0;
  while (!signal.aborted) {
    const day = one(random.pick(DAYS));
    const [before, noted] = [await lab.processed(day), await lab.noted(day.from)];
    if (before) {
      const held = await lab.held(day);
      const recomputed = await lab.recomputed(day);
      if ((await lab.processed(day)) && (await lab.noted(day.from)) === noted) {
        assert.deepEqual(held, recomputed, `${day.from} is said to be processed`);
        looked++;
      }
    }
    await delay(50);
  }
  return looked;
}
