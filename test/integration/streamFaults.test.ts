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

/** Starts the stream again whenever it ends, as the supervisor does. */
function keepRunning(start: () => ReturnType<Awaited<ReturnType<typeof openLab>>['start']>): AsyncDisposable {
  let wanted = true;
  let current = start();
  const running = (async () => {
    while (wanted) {
      await current.result.catch(() => undefined);
      if (wanted) current = start();
    }
  })();
  return {
    async [Symbol.asyncDispose]() {
      wanted = false;
      current.cancel();
      await running;
    },
  };
}

for (const service of ['kafka', 'clickhouse'] as const) {
  test(`${service} killed between an insert and its commit delays the stream and loses nothing`, async () => {
    await using lab = await openLab({ services: stack.env });
    await lab.createTarget();
    const count = 60_000;
    await lab.send(Array.from({ length: count }, (_, id) => messageOf({ id })));
    const first = stack.pids[service];
    let killed = false;
    const beforeCommit = async () => {
      if (killed) return;
      killed = true;
      await stack.kill(service, 'SIGKILL');
    };
    await using _running = keepRunning(() => lab.start({ beforeCommit }));
    await until(
      () => stack.pids[service],
      (pid) => pid !== 0 && pid !== first,
    );
    await until(
      () => lab.count().catch(() => null),
      (rows) => rows === count,
    );
    await until(
      async () => Number(await lab.committed().catch(() => null)),
      (offset) => offset === count,
    );
    assert.equal(await lab.count(), count);
  });
}
