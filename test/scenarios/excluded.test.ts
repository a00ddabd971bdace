import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chTable } from '../../core/identifiers.ts';
import { Scenario } from './harness.ts';
import { stored } from './stored.ts';
import { readTopic } from './topic.ts';
import { workerLog } from './workers.ts';

/** In every value of an excluded column, and nowhere else. */
const MARKER = 'marker-7f3a91c2';

const DDL = ['plain', 'whole']
  .map(
    (name) =>
      `CREATE TABLE ${name} (id int PRIMARY KEY, v int, "Sec.ret" text NOT NULL, doc jsonb);
       INSERT INTO ${name} SELECT i, i, '${MARKER}' || i, '{"a": "${MARKER}"}' FROM generate_series(1, 50) i;`,
  )
  .join('\n');

test('a column excluded never leaks, not in before, not in dead letters', { timeout: 180_000 }, async () => {
  const table = { exclude: ['Sec.ret', 'doc'] };
  await using scenario = await Scenario.open({
    ...{ label: 'excluded', tables: { plain: table, whole: table } },
    ddl: `${DDL}\nALTER TABLE whole REPLICA IDENTITY FULL;`,
  });
  for (const name of ['plain', 'whole']) {
    await scenario.sql(
      `INSERT INTO ${name} SELECT i, i, repeat('${MARKER}', 900), '[]' FROM generate_series(51, 60) i`,
    );
    await scenario.sql(
      `UPDATE ${name} SET v = -v, "Sec.ret" = '${MARKER}' WHERE id < 5; UPDATE ${name} SET v = 7 WHERE id = 51`,
    );
    await scenario.sql(`DELETE FROM ${name} WHERE id = 5; UPDATE ${name} SET id = 1006 WHERE id = 6`);
  }
  await scenario.waitUntilCaughtUp();
  const messages = (await Promise.all(scenario.topics.map((topic) => readTopic(scenario.kafka, topic)))).flat();
  assert.ok(messages.length >= 2 * 17, `${messages.length} messages`);
  const good = messages.find((each) => each.includes('"op":"u"'))!.toString();
  const producer = scenario.kafka.producer();
  await producer.connect();
  const bad = good.replace(/"v":-?\d+/g, '"v":3000000000');
  await producer.send({ topic: scenario.topics[0]!, messages: [{ value: bad }] });
  await producer.disconnect();
  await scenario.waitUntilCaughtUp();

  for (const name of ['plain', 'whole']) {
    const source = await scenario.source.owner.query(`SELECT id::text, v::text FROM ${name} ORDER BY ${name}.id`);
    const target = await scenario.clickhouse.rows(
      `SELECT toString(id) AS id, toString(v) AS v FROM ${chTable({ database: scenario.name, name: `${name}_current` })} ORDER BY ${name}_current.id`,
    );
    assert.deepEqual(target, source.rows, name);
  }
  const places = { messages: messages.join('\n'), 'log of the workers': workerLog(), ...(await stored(scenario)) };
  assert.match((places as Record<string, string>).dead_letters!, /3000000000/);
  for (const [place, text] of Object.entries(places)) {
    assert.ok(text.length > 0 || place.endsWith('_truncations') || place.startsWith('log'), `${place} is empty`);
    assert.ok(!text.includes(MARKER), `${place} holds a value of an excluded column`);
  }
});

test('what cannot be excluded is said before anything is created', async () => {
  for (const [exclude, reason] of [
    ['id', /cannot exclude 'id': it is of the key/],
    ['secret', /cannot exclude 'secret': it has no such column/],
  ] as const) {
    await using scenario = await Scenario.open({
      ...{ label: 'unexcludable', tables: { t: { exclude: [exclude] } }, start: false },
      ddl: 'CREATE TABLE t (id int PRIMARY KEY, v text)',
    });
    scenario.startWorkers();
    await scenario.temporal.startSupervisor(scenario.name);
    await assert.rejects(scenario.waitUntilStreaming(), reason);
  }
});
