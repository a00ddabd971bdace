import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { type Home, openHome } from '../../stack/home.ts';
import { choosePorts, fixedPorts } from '../../stack/ports.ts';

let home: Home;

beforeEach(() => {
  home = openHome(mkdtempSync(join(tmpdir(), 'tidegate-ports-')));
});

afterEach(() => rmSync(home.path, { recursive: true }));

/** Listens on the port unless some other program does already; either way it is busy. */
async function occupy(port: number): Promise<Disposable> {
  const server = createServer().listen(port, '127.0.0.1');
  await Promise.race([once(server, 'listening'), once(server, 'error')]).catch(() => undefined);
  return { [Symbol.dispose]: () => server.close() };
}

test('a busy fixed port is refused by number and service, with the remedy', async () => {
  using _held = await occupy(fixedPorts.connect);
  await assert.rejects(choosePorts(home, { mode: 'fixed', services: ['connect'] }), (error: Error) => {
    assert.equal(error.message, `port ${fixedPorts.connect} (Kafka Connect) is in use by another program`);
    assert.match((error as Error & { remedy: string }).remedy, /--ports auto/);
    return true;
  });
});

test('free ports differ from each other and stay the same in the next run', async () => {
  const services = ['postgres', 'clickhouse', 'kafka', 'connect', 'temporal'] as const;
  const first = await choosePorts(home, { mode: 'auto', services });
  assert.equal(new Set(Object.values(first)).size, Object.keys(fixedPorts).length);
  assert.deepEqual(await choosePorts(home, { mode: 'auto', services }), first);
});

test('a port of the last run that is busy now is replaced, the others stay', async () => {
  const services = ['postgres', 'kafka'] as const;
  const first = await choosePorts(home, { mode: 'auto', services });
  using _held = await occupy(first.kafka);
  const second = await choosePorts(home, { mode: 'auto', services });
  assert.notEqual(second.kafka, first.kafka);
  assert.equal(second.postgres, first.postgres);
});
