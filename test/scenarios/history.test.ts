import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { Random } from '../../pipelines/random.ts';
import { assertHistory, logChanges } from './changeLog.ts';
import { Scenario } from './harness.ts';
import { until } from './until.ts';

const DDL = `
  CREATE TABLE things (id int PRIMARY KEY, name text NOT NULL, note text, amount numeric(12,2), created_at date NOT NULL DEFAULT now());
  ALTER TABLE things REPLICA IDENTITY FULL;
  INSERT INTO things SELECT i, 'thing ' || i, nullif('n' || i % 3, 'n0'), i / 4.0 FROM generate_series(1, 100) i;
  ${logChanges('things')}`;

for (const [label, operations, partitions] of [
  ['histall', ['c', 'u', 'd'], 1],
  ['histupd', ['u'], 3],
] as const) {
  suite(`a history of ${operations.join(', ')}, ${partitions} partitions`, () => {
    let scenario: Scenario;
    const random = new Random(7);

    before(async () => {
      scenario = await Scenario.open({
        ...{ label, workers: 'child', ddl: DDL, stream: { partitions } },
        tables: { things: { target: 'changes', history: { operations: [...operations] } } },
      });
    });
    after(() => scenario?.[Symbol.asyncDispose]());

    async function work(transactions: number): Promise<void> {
      for (let i = 0; i < transactions; i++) {
        const id = random.between(1, 140);
        const kind = random.next();
        if (kind < 0.7) {
          // Twice in one transaction, at one time; every third with a large value, which the second leaves alone.
          const note = i % 3 === 0 ? `repeat('${String.fromCharCode(97 + (i % 26))}', 3000) || random()` : `'n${i}'`;
          await scenario.sql(`UPDATE things SET note = ${note}, amount = ${i}.25 WHERE id = ${id};
            UPDATE things SET name = name || '+' WHERE id BETWEEN ${id} AND ${id + 1}`);
        } else if (kind < 0.85) {
          await scenario.sql(`INSERT INTO things VALUES (${id}, 'new ${i}', NULL, NULL) ON CONFLICT DO NOTHING`);
        } else {
          await scenario.sql(`DELETE FROM things WHERE id = ${id}`);
        }
      }
    }

    async function compare(): Promise<number> {
      await scenario.waitUntilCaughtUp();
      return await assertHistory(scenario, { table: 'things', targets: ['changes'], operations });
    }

    test('has each change once, with the row before and after, and nothing of the snapshot', async () => {
      await work(150);
      assert.ok((await compare()) > 100);
    });

    test('stays so when the workers are killed and the connector is deleted meanwhile', async () => {
      const { connector } = scenario.pipeline.stream;
      const working = work(400);
      await scenario.killWorkers();
      scenario.startWorkers();
      await scenario.source.admin.query(
        'SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = $1 AND active',
        [scenario.pipeline.stream.slot],
      );
      await scenario.connect.delete(connector);
      await working;
      await until(
        () => scenario.connect.status(connector),
        (status) => status?.tasks[0]?.state === 'RUNNING',
        { what: 'the connector runs again', state: () => scenario.describe() },
      );
      await compare();
    });

    test('says when each change was committed at the source, to the microsecond, and not when it was processed', async () => {
      const { admin } = scenario.source;
      const clock = async () =>
        BigInt((await admin.query('SELECT (extract(epoch FROM clock_timestamp()) * 1e6)::bigint AS us')).rows[0]!.us);
      await scenario.pause();
      const from = await clock();
      await scenario.sql("UPDATE things SET name = 'timed' WHERE id = (SELECT min(id) FROM things)");
      const to = await clock();
      await scenario.resume();
      await scenario.waitUntilCaughtUp();
      const rows = await scenario.clickhouse.rows<{ us: string; later: number }>(
        `SELECT toString(toUnixTimestamp64Micro(ts)) AS us, arrived_at > ts AS later FROM ${scenario.name}.changes FINAL
         WHERE name = 'timed' AND op = 'u'`,
      );
      assert.equal(rows.length, 1);
      assert.ok(BigInt(rows[0]!.us) >= from && BigInt(rows[0]!.us) <= to, `${from} ${rows[0]!.us} ${to}`);
      assert.equal(rows[0]!.later, 1);
    });

    test('keeps what it has when the slot is lost and the stream begins anew', async () => {
      const kept = await compare();
      await scenario.loseSlot();
      assert.equal(await compare(), kept);
      await work(30);
      assert.ok((await compare()) > kept);
    });
  });
}
