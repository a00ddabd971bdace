import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { Random } from '../../pipelines/random.ts';
import { shopTraffic } from '../../pipelines/shop/traffic.ts';
import { anyChange, ShopLab } from './shopLab.ts';

const seed = Number(process.env['SHOP_SEED'] ?? Date.now() % 2 ** 32);

suite(`sales of a shop equal the same SQL in PostgreSQL, seed ${seed}`, () => {
  let lab: ShopLab;
  before(async () => {
    lab = await ShopLab.open({ label: 'shop', rows: 1500 });
  });
  after(() => lab?.[Symbol.asyncDispose]());

  test('after the copy', async () => {
    const [sales, byDay] = (await lab.compare()).byKeys!;
    assert.deepEqual([sales!.rows, sales!.rebuilt, byDay!.mart], [1500, 'it is the first merge', 'sales_by_day']);
    assert.equal((await lab.merge()).byKeys![0]!.keys, 0);
  });

  test('after live traffic, at every quiet point, by what has changed alone', async () => {
    const work = shopTraffic(seed);
    const client = await lab.scenario.source.connect();
    try {
      const state = await work.begin(client);
      for (let round = 0; round < 2; round++) {
        for (let i = 0; i < 100; i++) await work.transaction(client, state);
        const [sales] = (await lab.compare(`seed ${seed}, round ${round}`)).byKeys!;
        assert.equal(sales!.rebuilt, null);
        assert.ok(sales!.keys > 0 && sales!.keys < 1400, `${sales!.keys} keys`);
      }
    } finally {
      await client.end();
    }
  });

  test('after changes that arrive in any order, while it is merged again and again', async () => {
    const random = new Random(seed);
    for (let round = 0; round < 2; round++) {
      const stop = new AbortController();
      const merging = lab.mergeUntil(stop.signal);
      for (let i = 0; i < 200; i++) await lab.scenario.sql(anyChange(random));
      stop.abort();
      assert.ok((await merging) > 0);
      const result = await lab.compare(`seed ${seed}, round ${round}`);
      assert.equal(result.byKeys![0]!.rebuilt, null);
    }
  });

  test('on the dashboard, with and without filters', () => lab.assertDashboard());

  test('after a table was emptied, and after all keys were merged', async () => {
    await lab.scenario.sql('TRUNCATE sellers');
    await lab.scenario.sql("INSERT INTO sellers VALUES (1, 'the only one')");
    assert.notEqual((await lab.compare('truncated')).byKeys![0]!.rebuilt, null);
    assert.equal((await lab.merge({ rebuild: true })).byKeys![0]!.rebuilt, 'it was asked for');
    await lab.assertEqual('rebuilt');
  });
});
