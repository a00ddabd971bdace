import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { describeWork } from '../../adapters/temporalWork.ts';
import type { ResyncProgress, StreamProgress } from '../../core/activityTypes.ts';
import type { Scenario } from './harness.ts';
import { FaultLab } from './writer.ts';

suite('resync under writes: source and target are equal after', { timeout: 900_000 }, () => {
  let lab: FaultLab;
  let scenario: Scenario;

  before(async () => {
    lab = await FaultLab.open({ label: 'resync' });
    scenario = lab.scenario;
  });
  after(() => lab?.[Symbol.asyncDispose]());

  const rowsOf = <T>(sql: string) => scenario.clickhouse.rows<T>(sql.replaceAll('DB.', `${scenario.name}.`));

  /** Nothing of a resync is left, and there is one way into the target. */
  async function assertTidy(): Promise<void> {
    const left = await rowsOf<{ name: string }>(
      `SELECT name FROM system.tables WHERE database = '${scenario.name}' AND name LIKE '%staging%'`,
    );
    assert.deepEqual(left, []);
  }

  /** Wrong in every way that only a resync puts right, whatever version the rows claim. */
  async function spoil(): Promise<void> {
    const huge = "toUInt128('170141183460469231731687303715884105727')";
    await scenario.clickhouse.command(`INSERT INTO ${scenario.name}.items (id, v, n, _version, _deleted) VALUES
      (1, 'wrong', -1, ${huge}, 0), (2, 'gone', 0, ${huge}, 1), (-5, 'never there', 0, ${huge}, 0)`);
    const [{ wrong }] = (await rowsOf<{ wrong: string }>(
      "SELECT count() AS wrong FROM DB.items_current WHERE v IN ('wrong', 'never there')",
    )) as [{ wrong: string }];
    assert.equal(Number(wrong), 2);
  }

  async function landedOf(table: string): Promise<number> {
    const stream = (await scenario.status())?.work.activities.find(({ type }) => type === 'runStream');
    return (stream?.heartbeat as StreamProgress | null)?.tables[table]?.messages ?? 0;
  }

  test('one table, while the others flow on', () =>
    lab.whileWriting(async () => {
      await spoil();
      const run = (await scenario.status())!.work.runId;
      const before = await landedOf('others');
      const { rows } = await scenario.resync('items');
      assert.ok(rows > 100, String(rows));
      await lab.until('the other table lands in the same stream', async () => (await landedOf('others')) > before);
      const view = (await scenario.status())!;
      assert.equal(view.status.phase, 'streaming');
      assert.equal(view.work.runId, run);
      assert.equal(view.work.activities.find(({ type }) => type === 'runStream')?.attempt, 1);
      await assertTidy();
    }));

  test('again, and again while one runs', () =>
    lab.whileWriting(async () => {
      const held = Promise.withResolvers<void>();
      let copies = 0;
      scenario.proxy.rule = (statement) => {
        if (!statement.includes('_copy`')) return { do: 'pass' };
        copies++;
        return { do: 'hold', until: held.promise };
      };
      const first = await scenario.askForResync('items');
      await lab.until('the first one copies', () => copies > 0);
      await spoil();
      const second = await scenario.askForResync('items');
      assert.equal(await scenario.askForResync('items'), second, 'one that waits is the one asked for');
      assert.notEqual(second, first);
      held.resolve();
      await scenario.resynced('items', first);
      await scenario.resynced('items', second);
      await assertTidy();
    }));

  test('a resync of another table waits for the one that runs', () =>
    lab.whileWriting(async () => {
      const tickets = [await scenario.askForResync('items'), await scenario.askForResync('others')];
      assert.deepEqual(new Set((await scenario.status())!.status.resyncs.map(({ table }) => table)).size, 2);
      await scenario.resynced('items', tickets[0]!);
      await scenario.resynced('others', tickets[1]!);
    }));

  test('a table that is truncated while it is loaded', () =>
    change('TRUNCATE items; INSERT INTO items VALUES (-7, 7)'));

  test('a table whose schema changes while it is loaded', () =>
    change("ALTER TABLE items ADD COLUMN extra text DEFAULT 'x'; UPDATE items SET extra = 'y' WHERE id < 50"));

  /** Changes the source between the copy and the swap, and once more after the rows have been seen. */
  async function change(sql: string): Promise<void> {
    await lab.whileWriting(async () => {
      const held = Promise.withResolvers<void>();
      let copies = 0;
      scenario.proxy.rule = (statement) => {
        if (!statement.includes('_copy`')) return { do: 'pass' };
        copies++;
        return copies === 1 ? { do: 'hold', until: held.promise } : { do: 'pass' };
      };
      const ticket = await scenario.askForResync('items');
      await lab.until('it copies', () => copies > 0);
      // Waits for the copy's lock.
      const changed = scenario.sql(sql.replace('VALUES (-7, 7)', "VALUES (-7, 'after', 7)"));
      held.resolve();
      await changed;
      await scenario.resynced('items', ticket);
      await scenario.waitUntilStreaming();
    });
    await assertTidy();
  }

  test('a transaction that is open when it begins is waited for', async () => {
    const session = await scenario.source.connect();
    await session.query("BEGIN; INSERT INTO items (id, v) VALUES (-9, 'open')");
    const ticket = await scenario.askForResync('items');
    const step = async () => {
      const work = await describeWork(scenario.temporal.client, `resync-${scenario.name}-items`);
      return (work?.activities[0]?.heartbeat as ResyncProgress | null)?.step ?? '';
    };
    await lab.until('it waits', async () => (await step()).startsWith('waiting for transactions'));
    await session.query('COMMIT');
    await session.end();
    await scenario.resynced('items', ticket);
    await scenario.assertEqual();
  });

  test('what cannot be resynced is refused', async () => {
    await assert.rejects(scenario.askForResync('priced'), (error: Error) =>
      /streams no table 'priced'/.test(String(error.cause)),
    );
  });
});
