import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { Scenario } from './harness.ts';
import { until } from './until.ts';

/** Rows are written all the while by a second session, each statement for itself. */
class Writer {
  readonly #scenario: Scenario;
  readonly #table: string;
  /** Keys are used once, whoever writes. */
  static #next = 1000;

  constructor(scenario: Scenario, table: string) {
    this.#scenario = scenario;
    this.#table = table;
  }

  /** Inserts, updates and deletes by the columns that the table has at the moment. */
  async write(rounds: number): Promise<void> {
    for (let i = 0; i < rounds; i++) {
      const id = Writer.#next++;
      await this.#scenario.sql(`INSERT INTO ${this.#table} (id) VALUES (${id})`);
      await this.#scenario.sql(`UPDATE ${this.#table} SET id = id + 100000 WHERE id = ${id} AND id % 3 = 0`);
      if (i % 5 === 4) await this.#scenario.sql(`DELETE FROM ${this.#table} WHERE id = ${id - 2}`);
    }
  }
}

const TABLES = [
  'added',
  'defaulted',
  'dropped',
  'renamed',
  'widened',
  'twice',
  'labelled',
  'loosened',
  'rewritten',
  'quick',
];

suite('a schema that changes under writes is followed:', { timeout: 900_000 }, () => {
  let scenario: Scenario;
  before(async () => {
    scenario = await Scenario.open({
      ...{ label: 'drift', tables: [...TABLES, '"Odd Table"'] },
      ddl: `
        CREATE TYPE mood AS ENUM ('calm', 'busy');
        ${TABLES.map((name) => `CREATE TABLE ${name} (id int PRIMARY KEY, v text DEFAULT 'v', n numeric(10,2) DEFAULT 1.5, m mood, c varchar(5));`).join('\n')}
        CREATE TABLE "Odd Table" ("Id" int PRIMARY KEY, "select" text);
        INSERT INTO "Odd Table" VALUES (1, 'one'), (2, NULL);
        ${TABLES.map((name) => `INSERT INTO ${name} SELECT i, 'row ' || i, i, 'calm', 'c' FROM generate_series(1, 200) i;`).join('\n')}`,
    });
  });
  after(() => scenario[Symbol.asyncDispose]());

  /** Changes that were followed of a table. */
  async function changesOf(table: string): Promise<string[]> {
    const rows = await scenario.clickhouse.rows<{ change: string }>(
      `SELECT arrayJoin(changes) AS change FROM ${scenario.name}.tidegate_schema WHERE \`table\` = {table:String}`,
      { params: { table } },
    );
    return rows.map(({ change }) => change);
  }

  async function untilFollowed(table: string, change: RegExp): Promise<void> {
    await until(
      () => changesOf(table),
      (changes) => changes.some((each) => change.test(each)),
      { what: `${change} of ${table} is followed`, state: () => scenario.describe() },
    );
  }

  async function change(table: string, ddl: string, wanted: RegExp): Promise<void> {
    const writer = new Writer(scenario, table);
    await writer.write(10);
    await scenario.sql(ddl);
    await writer.write(10);
    await untilFollowed(table, wanted);
    await scenario.waitUntilStreaming();
    await writer.write(5);
    await scenario.assertEqual(table);
  }

  test('ADD COLUMN, with values of it from the first change on', async () => {
    await change(
      'added',
      'ALTER TABLE added ADD COLUMN extra jsonb; UPDATE added SET extra = \'{"a": 1}\' WHERE id < 5',
      /extra .*added/,
    );
    assert.deepEqual(await changesOf('added'), ['column extra jsonb was added']);
  });

  test('ADD COLUMN with a constant default, which old rows have without an event', async () => {
    const ddl =
      "ALTER TABLE defaulted ADD COLUMN d1 text NOT NULL DEFAULT 'it''s \\ new', ADD COLUMN d2 int[] DEFAULT '{1,2}', ADD COLUMN d3 timestamptz DEFAULT now()";
    await change('defaulted', ddl, /d3/);
    await scenario.sql(
      "ALTER TABLE defaulted ALTER COLUMN d1 SET DEFAULT 'other'; UPDATE defaulted SET d2 = NULL WHERE id < 3",
    );
    await scenario.sql('INSERT INTO defaulted (id) VALUES (-1)');
    await scenario.assertEqual('defaulted');
  });

  test('DROP COLUMN', async () => {
    await change('dropped', 'ALTER TABLE dropped DROP COLUMN n', /n was dropped/);
  });

  test('RENAME COLUMN', async () => {
    await change('renamed', 'ALTER TABLE renamed RENAME COLUMN v TO "new name"', /v was renamed/);
  });

  test('a wider type that PostgreSQL stores alike', async () => {
    const ddl =
      "ALTER TABLE widened ALTER COLUMN n TYPE numeric(14,2), ALTER COLUMN c TYPE text; UPDATE widened SET n = 123456789012.25, c = repeat('c', 20) WHERE id < 4";
    await change('widened', ddl, /numeric\(14,2\)/);
    assert.ok(!(await changesOf('widened')).some((each) => each.includes('anew')));
  });

  test('two changes at once, and one more before anything has landed', async () => {
    await scenario.pause();
    await scenario.sql(
      'ALTER TABLE twice ADD COLUMN a text, RENAME COLUMN v TO w'.replace(', RENAME', '; ALTER TABLE twice RENAME'),
    );
    await scenario.sql("UPDATE twice SET a = 'first', w = 'w' WHERE id < 10");
    await scenario.sql('ALTER TABLE twice RENAME COLUMN a TO b; ALTER TABLE twice DROP COLUMN n');
    await scenario.sql("UPDATE twice SET b = 'second' WHERE id < 5; INSERT INTO twice (id) VALUES (-5)");
    await scenario.resume();
    await scenario.assertEqual('twice');
  });

  test('a column that comes and goes unseen', async () => {
    await scenario.pause();
    await scenario.sql("ALTER TABLE quick ADD COLUMN temp text; UPDATE quick SET temp = 'x', v = 'y' WHERE id < 9");
    await scenario.sql("ALTER TABLE quick DROP COLUMN temp; UPDATE quick SET v = 'z' WHERE id < 4");
    await scenario.resume();
    await scenario.assertEqual('quick');
  });

  test('ALTER TYPE ADD VALUE, for which nothing has to be done', async () => {
    await scenario.sql("ALTER TYPE mood ADD VALUE 'new mood' BEFORE 'busy'");
    await scenario.sql("UPDATE labelled SET m = 'new mood' WHERE id < 50");
    await scenario.assertEqual('labelled');
    assert.deepEqual(await changesOf('labelled'), []);
  });

  test('NOT NULL set and dropped', async () => {
    await change(
      'loosened',
      "UPDATE loosened SET v = 'x' WHERE v IS NULL; ALTER TABLE loosened ALTER COLUMN v SET NOT NULL, ALTER COLUMN n DROP DEFAULT",
      /v is NOT NULL/,
    );
    await change(
      'loosened',
      'ALTER TABLE loosened ALTER COLUMN v DROP NOT NULL, ALTER COLUMN v SET DEFAULT NULL',
      /v may be NULL/,
    );
  });

  test('identifiers with capitals, blanks, keywords and quotes', async () => {
    await scenario.sql(`ALTER TABLE "Odd Table" RENAME COLUMN "select" TO "it's a \`"" name"`);
    await scenario.sql(
      `ALTER TABLE "Odd Table" ADD COLUMN "цена" text DEFAULT 'цена'; INSERT INTO "Odd Table" VALUES (3, 'x', NULL)`,
    );
    await untilFollowed('"Odd Table"', /цена/);
    await scenario.waitUntilStreaming();
    await scenario.assertEqual('"Odd Table"');
  });

  /** A table that is loaded anew is empty for a while, and nothing waits in Kafka then. */
  async function untilEqual(name: string): Promise<void> {
    const table = scenario.pipeline.tables.find((each) => each.name === name)!;
    const compare = async () => {
      await scenario.failIfStopped();
      return await scenario.differences(table).catch((error) => [String(error)]);
    };
    await until(compare, (found) => found.length === 0, {
      ...{ what: `${name} is equal`, state: () => scenario.describe() },
    });
  }

  test('what cannot be followed leaves its table aside, and the others flow on', async () => {
    await scenario.sql('ALTER TABLE labelled DROP CONSTRAINT labelled_pkey');
    await untilFollowed('labelled', /left aside/);
    await scenario.waitUntilStreaming();
    await scenario.sql("UPDATE added SET v = 'flows on'; INSERT INTO labelled (id) VALUES (-9)");
    await untilEqual('added');
    const { schema } = (await scenario.status())!.status;
    assert.match(schema.aside[0]!.reason, /labelled has no primary key.*ADD PRIMARY KEY/);
  });

  test('a rewrite that sends no events loads the tables anew, except one that is left aside', async () => {
    const ddl = "ADD COLUMN u uuid DEFAULT gen_random_uuid(), ALTER COLUMN n TYPE text USING n::text || '!'";
    await scenario.sql(`ALTER TABLE rewritten ALTER COLUMN n DROP DEFAULT, ${ddl}`);
    await untilFollowed('rewritten', /anew/);
    await untilEqual('rewritten');
    await new Writer(scenario, 'rewritten').write(3);
    await untilEqual('rewritten');
    await untilEqual('added');
  });

  test('what can be followed again is taken up again', async () => {
    await scenario.sql('ALTER TABLE labelled ADD PRIMARY KEY (id)');
    await untilFollowed('labelled', /anew|taken up/);
    await untilEqual('labelled');
    await scenario.waitUntilStreaming();
    await scenario.assertEqual();
  });
});

test('a worker that dies while a schema is followed is followed by one that ends it', {
  timeout: 300_000,
}, async () => {
  await using scenario = await Scenario.open({
    ...{ label: 'driftkill', tables: ['things'], workers: 'child', start: false },
    ddl: "CREATE TABLE things (id int PRIMARY KEY, v text); INSERT INTO things SELECT i, 'v' FROM generate_series(1, 100) i",
  });
  scenario.startWorkers('while evolving');
  await scenario.temporal.startSupervisor(scenario.name);
  await scenario.waitUntilStreaming();
  await scenario.sql("INSERT INTO things VALUES (-1, 'before'); ALTER TABLE things RENAME v TO w");
  await scenario.sql("ALTER TABLE things ADD v int DEFAULT 7; INSERT INTO things VALUES (-2, 'after', 8)");
  await scenario.workersEnded();
  await scenario.sql("UPDATE things SET w = 'while nobody works' WHERE id < 10");
  scenario.startWorkers();
  await scenario.assertEqual();
});
