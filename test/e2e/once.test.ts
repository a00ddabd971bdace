import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Home } from './command.ts';

test('npm start -- --once fills, loads, streams, verifies, and ends with one line of JSON; a second run keeps the data', async () => {
  await using home = new Home();
  const command = 'npm start --silent -- --once --only wms,audit --rows 20000 --ports auto';
  for (const run of ['first', 'second']) {
    const { code, stdout, stderr } = await home.run(command);
    assert.equal(code, 0, `${run} run: ${stdout}\n${stderr}`);
    const report = JSON.parse(stdout.trim().split('\n').at(-1) as string);
    assert.equal(report.ok, true);
    assert.deepEqual(
      report.pipelines.map((pipeline: { pipeline: string }) => pipeline.pipeline),
      ['wms', 'audit'],
    );
    const tables = report.pipelines.flatMap(({ tables }: { tables: { table: string; equal: boolean }[] }) =>
      tables.map(({ table, equal }) => [table, equal]),
    );
    assert.deepEqual(tables.sort(), [
      ['my_table', true],
      ['products', true],
      ['regions', true],
      ['stock_balances', true],
      ['warehouses', true],
    ]);
    assert.ok(report.seconds > 0);
  }
});
