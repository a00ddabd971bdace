import { test } from 'node:test';
import { soak } from './soak.ts';

for (const { ddl, changes } of [
  { ddl: false, changes: 5000 },
  { ddl: true, changes: 2500 },
]) {
  test(`${changes} random changes of many types${ddl ? ', of shapes too,' : ''} leave source and target equal`, async (context) => {
    const seed = Date.now() % 1_000_000;
    await soak({ changes, seed, ddl, log: (line) => context.diagnostic(line) });
  });
}
