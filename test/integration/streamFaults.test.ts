import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type RunningStack, startStack } from '../../stack/stack.ts';
import { until } from '../workflow/until.ts';
import { messageOf, openLab } from './streamLab.ts';

/** On services of its own, since they are killed. */
const home = mkdtempSync(join(tmpdir(), 'stream-faults-'));
let stack: RunningStack;

before(async () => {
  stack = await startStack({ home, ports: 'auto', services: ['kafka', 'clickhouse'] });
});

after(async () => {
  await stack?.stop();
  rmSync(home, { recursive: true, force: true });
});

for (const service of ['kafka', 'clickhouse'] as const) {
  test(`${service} killed between an insert and its commit delays the stream and loses nothing`, async () => {
    await using lab = await openLab({ services: stack.env });
    await lab.createTarget();
    const count = 60_000;
    await lab.send(Array.from({ length: count }, (_, id) => messageOf({ id })));
    let killed = false;
    await using stream = lab.start({
      beforeCommit: async () => {
        if (killed) return;
        killed = true;
        await stack.kill(service, 'SIGKILL');
      },
    });
    await until(stream.beat, (progress) => progress?.offsets[`${lab.topic}:0`] === String(count));
    assert.equal(killed, true);
    assert.equal(await lab.committed(), BigInt(count));
    assert.equal(await lab.count(), count);
  });
}
