import { test } from 'node:test';
import { soak } from './soak.ts';

test('5,000 random changes of many types leave source and target equal', async (context) => {
  const seed = Date.now() % 1_000_000;
  await soak({ changes: 5000, seed, log: (line) => context.diagnostic(line) });
});
