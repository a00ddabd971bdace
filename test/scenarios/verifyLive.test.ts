import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { chTable } from '../../core/identifiers.ts';
import { Random } from '../../pipelines/random.ts';
import { Scenario } from './harness.ts';
import type { Verdict } from './proxy.ts';
import { until } from './until.ts';
import { resultOf, verify } from './verification.ts';

const seed = Date.now() % 1_000_000;

suite('verify, while rows are written', () => {
  let scenario: Scenario;
  const target = () => chTable({ database: scenario.pipeline.database, name: 'busy' });
  const BUSY = 6000;

  before(async () => {
    scenario = await Scenario.open({
      ...{ label: 'verlive', tables: ['busy'], workers: 'child' },
      // About one row a page, so that it is read in several parts.
      ddl: `CREATE TABLE busy (id int PRIMARY KEY, n int NOT NULL, v text) WITH (fillfactor = 10);
        INSERT INTO busy SELECT i, 0, repeat('x', 500 + i % 50) FROM generate_series(1, ${BUSY}) i`,
    });
    await scenario.waitUntilCaughtUp();
  });
  after(() => scenario?.[Symbol.asyncDispose]());

  /** Some 500 changes a second, of rows anywhere, of a few rows again and again, and of rows that come and go. */
  async function underTraffic(work: () => Promise<void>): Promise<void> {
    const session = await scenario.source.connect();
    let writing = true;
    const random = new Random(seed);
    const write = async () => {
      for (let i = 0; writing; i++) {
        const some = Array.from({ length: 18 }, () => random.between(1, BUSY - 100)).join(', ');
        // More often than they can be read again, so that they are equal only by a state that they went through.
        const restless = i % 8 === 0 ? 'UPDATE busy SET n = n + 1 WHERE id IN (1, 2, 3);' : '';
        await session.query(`
          UPDATE busy SET n = n + 1 WHERE id IN (${some}); ${restless}
          INSERT INTO busy VALUES (${BUSY + (i % 7)}, ${i}, 'comes') ON CONFLICT (id) DO UPDATE SET n = EXCLUDED.n;
          DELETE FROM busy WHERE id = ${BUSY + ((i + 3) % 7)};
          UPDATE busy SET id = id + 1000000 WHERE id = ${random.between(1, 5000)}; UPDATE busy SET id = id - 1000000 WHERE id > 1000000`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    };
    const writer = write();
    writer.catch(() => undefined);
    try {
      await work();
    } finally {
      writing = false;
      await writer;
      await session.end();
    }
  }

  test('there is no false alarm, and what differs is found', () =>
    underTraffic(async () => {
      for (let run = 1; run <= 2; run++) {
        const report = await verify(scenario);
        assert.equal(report.ok, true, `run ${run}: ${JSON.stringify(report)}`);
      }
      const wrong = BUSY - 50;
      await scenario.clickhouse.command(
        `INSERT INTO ${target()} SELECT * REPLACE ('wrong' AS v, _version + 1 AS _version) FROM ${target()} FINAL WHERE id = ${wrong}`,
      );
      assert.deepEqual(resultOf(await verify(scenario), 'busy').differences, [
        { key: `["${wrong}"]`, kind: 'different' },
      ]);
    }));

  test('a repair overwrites no newer change', async () => {
    await underTraffic(async () => {
      // A version just above the stored one, as a change that was loaded wrongly would have.
      await scenario.clickhouse.command(
        `INSERT INTO ${target()} SELECT * REPLACE (-1 AS n, _version + 1 AS _version) FROM ${target()} FINAL WHERE id % 10 = 0`,
      );
      await scenario.clickhouse.command(
        `INSERT INTO ${target()} SELECT * REPLACE (_version + 1 AS _version, 1 AS _deleted) FROM ${target()} FINAL WHERE id % 10 = 7`,
      );
      const { repaired } = resultOf(await verify(scenario, { repair: true }), 'busy');
      assert.ok(repaired.keys > 200, String(repaired.keys));
    });
    await scenario.assertEqual('busy');
  });

  test('kill -9 of the worker is survived, and its tables are not left behind', async () => {
    let inserts = 0;
    const dying = (then: () => void): Verdict => ({ do: 'swallow', then });
    scenario.proxy.rule = (statement) => {
      if (!/_verify_/.test(statement) || ++inserts !== 2) return { do: 'pass' };
      return dying(() => void scenario.killWorkers());
    };
    const report = verify(scenario);
    await scenario.workersEnded();
    scenario.proxy.rule = null;
    scenario.startWorkers();
    assert.equal((await report).ok, true);
    const left = await scenario.clickhouse.rows(
      `SELECT name FROM system.tables WHERE database = {database:String} AND name LIKE '%verify%'`,
      { params: { database: scenario.pipeline.database } },
    );
    assert.deepEqual(left, []);
    await until(
      () => scenario.status(),
      (view) => view?.status.phase === 'streaming',
      { what: 'the stream goes on' },
    );
  });
});
