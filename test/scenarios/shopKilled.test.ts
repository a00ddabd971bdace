import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import type { MergeKeysStep } from '../../activities/mergeKeys.ts';
import { Random } from '../../pipelines/random.ts';
import { anyChange, ShopLab } from './shopLab.ts';

const seed = Number(process.env['SHOP_SEED'] ?? Date.now() % 2 ** 32);

suite(`sales, when the worker that merges them is killed, seed ${seed}`, () => {
  let lab: ShopLab;
  const random = new Random(seed);
  before(async () => {
    lab = await ShopLab.open({ label: 'shopkill', workers: 'child', rows: 300 });
    await lab.compare();
  });
  after(() => lab?.[Symbol.asyncDispose]());

  for (const step of ['begun', 'found', 'partly merged', 'merged', 'noted'] satisfies MergeKeysStep[]) {
    test(`are right again after kill -9 once it has ${step}`, async () => {
      const { scenario } = lab;
      for (let i = 0; i < 60; i++) await scenario.sql(anyChange(random));
      await scenario.waitUntilCaughtUp();
      await scenario.stopWorkers();
      scenario.startWorkers(`keys ${step}`);
      const end = await lab.startMerge();
      await scenario.workersEnded();
      for (let i = 0; i < 60; i++) await scenario.sql(anyChange(random));
      scenario.startWorkers();
      await end();
      await lab.compare(`seed ${seed}`);
      const names = await scenario.clickhouse.tableNames(scenario.pipeline.database);
      assert.deepEqual(
        names.filter((name) => name.includes('_staging_')),
        [],
      );
    });
  }
});
