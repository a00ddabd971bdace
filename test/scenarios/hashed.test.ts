import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { test } from 'node:test';
import { loadEnvironment } from '../../adapters/environment.ts';
import { chTable } from '../../core/identifiers.ts';
import { Scenario } from './harness.ts';
import { stored } from './stored.ts';
import { readTopic } from './topic.ts';
import { workerLog } from './workers.ts';

/** In every value of a hashed column, and nowhere else. */
const MARKER = 'marker-5b1d77e0';
const environment = loadEnvironment().with({ TIDEGATE_HASH_SECRET: 'a secret of this test' });

const DDL = `
  CREATE TABLE people (id int PRIMARY KEY, v int, "E.mail" text NOT NULL, note varchar(200), plain text);
  ALTER TABLE people REPLICA IDENTITY FULL;
  ALTER TABLE people ALTER COLUMN note SET STORAGE EXTERNAL, ALTER COLUMN "E.mail" SET STORAGE EXTERNAL;
  INSERT INTO people SELECT i, i, '${MARKER}' || i, CASE WHEN i % 3 > 0 THEN '${MARKER} ü€𐍈 ''\\' END, 'open' FROM generate_series(1, 50) i;`;

const tables = { people: { hash: ['E.mail', 'note'] } };

test('a column hashed leaves the source by no way as it is, and all ways give the same hash', {
  timeout: 240_000,
}, async () => {
  await using scenario = await Scenario.open({ label: 'hashed', tables, ddl: DDL, environment });
  const salt = createHmac('sha256', 'a secret of this test').update(scenario.name).digest('hex');
  await scenario.sql(
    `INSERT INTO people SELECT i, i, repeat('${MARKER}', 900), '', 'open' FROM generate_series(51, 60) i`,
  );
  await scenario.sql(
    `UPDATE people SET v = -v, "E.mail" = '${MARKER} ü€𐍈' WHERE id < 5; UPDATE people SET v = 7 WHERE id = 51`,
  );
  await scenario.sql('DELETE FROM people WHERE id = 5; UPDATE people SET id = 1006 WHERE id = 6');
  await scenario.waitUntilCaughtUp();
  const { client } = scenario.temporal;
  const { rows } = await scenario.resync('people');
  assert.equal(rows, 59);
  await scenario.sql('UPDATE people SET v = v + 1 WHERE id % 10 = 0');
  await scenario.waitUntilCaughtUp();

  const messages = (await Promise.all(scenario.topics.map((topic) => readTopic(scenario.kafka, topic)))).flat();
  const good = messages.find((each) => each.includes('"op":"u"'))!.toString();
  const producer = scenario.kafka.producer();
  await producer.connect();
  await producer.send({
    topic: scenario.topics[0]!,
    messages: [{ value: good.replace(/"v":-?\d+/g, '"v":3000000000') }],
  });
  await producer.disconnect();
  await scenario.waitUntilCaughtUp();

  type Row = { id: number; v: number; 'E.mail': string; note: string | null; plain: string };
  const hash = (text: string | null) => text && createHash('sha256').update(salt).update(text).digest('hex');
  const source = await scenario.source.owner.query<Row>('SELECT * FROM people ORDER BY id');
  const empty = createHash('sha256').update(salt).digest('hex');
  const expected = source.rows.map((row) => ({
    ...row,
    'E.mail': hash(row['E.mail']),
    note: row.note === '' ? empty : hash(row.note),
  }));
  const view = chTable({ database: scenario.name, name: 'people_current' });
  assert.deepEqual(await scenario.clickhouse.rows<Row>(`SELECT * FROM ${view} ORDER BY id`), expected);

  const handle = client.workflow.getHandle(await scenario.temporal.startVerify(scenario.name));
  const report = (await handle.result()) as { ok: boolean };
  assert.equal(report.ok, true, JSON.stringify(report));

  const places = { messages: messages.join('\n'), 'log of the workers': workerLog(), ...(await stored(scenario)) };
  assert.match((places as Record<string, string>).dead_letters!, /3000000000/);
  for (const [place, text] of Object.entries(places)) {
    assert.ok(!text.includes(MARKER), `${place} holds a value of a hashed column`);
    assert.ok(!text.includes(salt), `${place} holds the salt`);
  }
});

test('a column that is hashed from now on is found nowhere as it was', { timeout: 240_000 }, async () => {
  await using scenario = await Scenario.open({ label: 'hashing', tables: { people: {} }, ddl: DDL, environment });
  scenario.redefine({ tables });
  await scenario.sql(`INSERT INTO people SELECT i, i, '${MARKER}', '${MARKER}', 'open' FROM generate_series(51, 60) i`);
  await scenario.temporal.updateStream(scenario.name, 'reconfigure');
  await scenario.sql(`INSERT INTO people SELECT i, i, '${MARKER}', '${MARKER}', 'open' FROM generate_series(61, 70) i`);
  await scenario.resynced('people', 1);
  await scenario.sql(`UPDATE people SET "E.mail" = '${MARKER}' WHERE id < 30`);
  await scenario.waitUntilCaughtUp();
  const [people] = await scenario.clickhouse.rows<{ rows: string; bare: string }>(
    `SELECT count() AS rows, countIf(NOT match("E.mail", '^[0-9a-f]{64}$')) AS bare FROM ${scenario.name}.people_current`,
  );
  assert.deepEqual(people, { rows: '70', bare: '0' });
  for (const [place, text] of Object.entries(await stored(scenario))) {
    assert.ok(!text.includes(MARKER), `${place} holds a value of a hashed column`);
  }
});

test('what cannot be hashed is said before anything is created', { timeout: 240_000 }, async () => {
  const ddl = `CREATE DOMAIN word AS text;
    CREATE TABLE t (id text PRIMARY KEY, n int, short varchar(63), words text[], w word, v text)`;
  for (const [hash, reason] of [
    ['id', /cannot hash 'id': it is of the key/],
    ['secret', /cannot hash 'secret': it has no such column/],
    ['n', /cannot hash 'n': only plain columns of type text and varchar .* not integer/],
    ['words', /cannot hash 'words': .* not text\[\]/],
    ['w', /cannot hash 'w': .* not domains/],
    ['short', /cannot hash 'short': its hash of 64 characters would be cut to the column's 63/],
    ['v', /ALTER TABLE "public"\."t" REPLICA IDENTITY FULL/],
  ] as const) {
    await using scenario = await Scenario.open({
      ...{ label: 'unhashable', tables: { t: { hash: [hash] } }, start: false, environment, ddl },
    });
    scenario.startWorkers();
    await scenario.temporal.startSupervisor(scenario.name);
    await assert.rejects(scenario.waitUntilStreaming(), reason);
  }
});
