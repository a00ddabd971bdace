import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FaultLab } from './writer.ts';

/** Each attempt of one resync dies one step further; those after the swap take up what the one before has left. */
const STEPS = ['staged', 'snapshot taken', 'copied', 'landed', 'noted', 'swapped', 'completed', 'recorded'] as const;

test('kill -9 of the worker at each step of a resync', { timeout: 900_000 }, async () => {
  await using lab = await FaultLab.open({ label: 'resynckill' });
  const { scenario } = lab;
  await lab.whileWriting(async () => {
    await scenario.clickhouse.command(`INSERT INTO ${scenario.name}.items (id, v, n, _version, _deleted)
      VALUES (-5, 'never there', 0, toUInt128('170141183460469231731687303715884105727'), 0)`);
    await scenario.stopWorkers();
    let ticket: number | null = null;
    for (const step of STEPS) {
      scenario.startWorkers(`resync: ${step}`);
      ticket ??= await scenario.waitUntilStreaming().then(() => scenario.askForResync('items'));
      await scenario.workersEnded();
    }
    scenario.startWorkers();
    await scenario.resynced('items', ticket!);
    await scenario.waitUntilStreaming();
  });
  const left = await scenario.clickhouse.rows(
    `SELECT name FROM system.tables WHERE database = '${scenario.name}' AND name LIKE '%staging%'`,
  );
  assert.deepEqual(left, []);
});
