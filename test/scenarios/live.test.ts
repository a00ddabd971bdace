import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import type { StreamUpdate } from '../../adapters/temporal.ts';
import type { Reconfigured } from '../../core/activityTypes.ts';
import { Scenario } from './harness.ts';
import { until } from './until.ts';

const TABLES = ['kept', 'coming', '"Odd one"'];

suite('a definition that changes while rows are written: source and target are equal after', {
  timeout: 600_000,
}, () => {
  let scenario: Scenario;

  before(async () => {
    scenario = await Scenario.open({
      ...{ label: 'live', tables: { kept: {} } },
      ddl: TABLES.map(
        (name) =>
          `CREATE TABLE ${name} (id int PRIMARY KEY, v text, n int); INSERT INTO ${name} SELECT i, 'first', 0 FROM generate_series(1, 500) i;`,
      ).join('\n'),
    });
  });
  after(() => scenario?.[Symbol.asyncDispose]());

  /** Writes all tables, published or not, until the work is done. */
  async function whileWriting<T>(work: () => Promise<T>): Promise<T> {
    const session = await scenario.source.connect();
    let stopping = false;
    const writing = (async () => {
      for (let i = 0; !stopping; i++) {
        for (const name of TABLES) {
          await session.query(`INSERT INTO ${name} VALUES (${1000 + (i % 300)}, 'new', ${i}) ON CONFLICT (id) DO UPDATE SET n = EXCLUDED.n;
            UPDATE ${name} SET n = n + 1 WHERE id % 50 = ${i % 50}; DELETE FROM ${name} WHERE id % 310 = ${i % 310}`);
        }
      }
    })();
    try {
      return await work();
    } finally {
      stopping = true;
      await writing;
      await session.end();
    }
  }

  const tell = async (update: StreamUpdate, table?: string) =>
    await scenario.temporal.updateStream<Reconfigured>(scenario.name, update, table);

  /** How often the supervisor's phase has changed: each change is shown in a search attribute. */
  async function phases(): Promise<number> {
    const { events } = await scenario.temporal.client.workflow.getHandle(`stream-${scenario.name}`).fetchHistory();
    return events!.filter(
      (event) => event.upsertWorkflowSearchAttributesEventAttributes?.searchAttributes?.indexedFields?.['Stage'],
    ).length;
  }

  /** Nothing is loaded any more, and nothing has ever stood still. */
  async function settled(before: number): Promise<void> {
    const read = async () => (await scenario.status())!;
    const what = { what: 'every table is loaded', deadlineMs: 300_000, state: () => scenario.describe() };
    const { status } = await until(
      read,
      ({ answered, status: { resyncs } }) => answered && resyncs.every(({ state }) => state === 'failed'),
      what,
    );
    assert.deepEqual([status.resyncs, status.phase, await phases()], [[], 'streaming', before]);
  }

  test('tables are added to the running stream', async () => {
    const before = await phases();
    await whileWriting(async () => {
      scenario.redefine({ tables: { kept: {}, coming: {}, '"Odd one"': {} } });
      const { streamed } = await tell('addTable', 'coming');
      assert.deepEqual(streamed, TABLES);
      await settled(before);
    });
    await scenario.assertEqual();
  });

  test('a table is removed from the running stream, and its target stays', async () => {
    const before = await phases();
    await whileWriting(async () => {
      await assert.rejects(tell('removeTable', 'coming'), ({ cause }: Error) =>
        /still streams 'coming'/.test(String(cause)),
      );
      scenario.redefine({ tables: { kept: {}, '"Odd one"': {} } });
      await tell('removeTable', 'coming');
      await settled(before);
    });
    await scenario.assertEqual();
    const [left] = await scenario.clickhouse.rows<{ rows: string }>(
      `SELECT count() AS rows FROM ${scenario.name}.coming_current`,
    );
    assert.ok(Number(left!.rows) > 0);
  });

  test('a table that was removed is added again, with what has changed in between', async () => {
    const before = await phases();
    await scenario.sql("DELETE FROM coming WHERE id % 3 = 0; UPDATE coming SET v = 'while it was away'");
    await whileWriting(async () => {
      scenario.redefine({ tables: { kept: {}, coming: {}, '"Odd one"': {} } });
      await tell('addTable', 'coming');
      await settled(before);
    });
    await scenario.assertEqual();
  });

  test('the configuration changes without a pause', async () => {
    const before = await phases();
    await whileWriting(async () => {
      scenario.redefine({ deadLetters: { stopAfter: 0 } });
      assert.equal((await tell('reconfigure')).definitionHash, `scenario 4`);
      await settled(before);
    });
    await scenario.assertEqual();
  });

  test('what cannot be taken over is refused, and the stream goes on', async () => {
    const before = await phases();
    const tables = { kept: {}, coming: {}, '"Odd one"': {} };
    await whileWriting(async () => {
      scenario.redefine({ tables: { ...tables, unheard: {} } });
      await assert.rejects(tell('addTable', 'unheard'), ({ cause }: Error) => /no table unheard/.test(String(cause)));
      scenario.redefine({ tables });
      await tell('reconfigure');
      await settled(before);
    });
    await scenario.assertEqual();
  });
});
