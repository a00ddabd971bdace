import assert from 'node:assert/strict';
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { identify } from '../../stack/identity.ts';
import { fixedPorts } from '../../stack/ports.ts';
import { startStack } from '../../stack/stack.ts';
import { askPostgres, countMessages, eventually, withKafka } from './stackProbe.ts';

const script = fileURLToPath(new URL('../../scripts/stack.ts', import.meta.url));

interface Launcher {
  readonly child: ChildProcessByStdio<null, Readable, Readable>;
  readonly exit: Promise<number | null>;
  output(): string;
}

function launch(args: readonly string[]): Launcher {
  const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
    });
  }
  return { child, exit: once(child, 'close').then(([code]) => code as number | null), output: () => output };
}

function readEnv(home: string): Record<string, string> {
  const lines = readFileSync(join(home, 'stack.env'), 'utf8').trimEnd().split('\n');
  return Object.fromEntries(lines.map((line) => line.split(/=(.*)/s, 2)));
}

function runningPids(home: string): number[] {
  const files = readdirSync(join(home, 'run')).filter((name) => name !== 'launcher.pid');
  return files.map((name) => Number.parseInt(readFileSync(join(home, 'run', name), 'utf8'), 10));
}

describe('npm run stack', { timeout: 300_000 }, () => {
  let home: string;
  let launched: Launcher[];

  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'tidegate-launcher-'));
    launched = [];
  });

  afterEach(async () => {
    for (const { child, exit } of launched) {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
      await exit;
    }
    rmSync(home, { recursive: true, force: true });
  });

  const run = (...args: string[]): Launcher => {
    const launcher = launch(['--home', home, ...args]);
    launched.push(launcher);
    return launcher;
  };

  test('prints the addresses without passwords, and stops everything on Ctrl-C', async () => {
    const launcher = run('--ports', 'auto', '--only', 'postgres,kafka');
    await eventually('the stack is up', () => launcher.output().includes('Up in'));
    const env = readEnv(home);
    const { host, password } = new URL(env['POSTGRES_URL']!);
    assert.ok(launcher.output().includes(host));
    assert.ok(launcher.output().includes(env['KAFKA_BROKERS']!));
    assert.ok(!launcher.output().includes(password));
    const pids = runningPids(home);
    assert.equal(pids.length, 2);
    // npm passes on the terminal's Ctrl-C, so the launcher gets it twice.
    launcher.child.kill('SIGINT');
    launcher.child.kill('SIGINT');
    assert.equal(await launcher.exit, 0);
    for (const pid of pids) assert.equal(identify(pid), undefined);
    assert.deepEqual(readdirSync(join(home, 'run')), []);
  });

  test('stops what it had started when Ctrl-C comes during the start', async () => {
    const launcher = run('--ports', 'auto', '--only', 'postgres,connect');
    await eventually('Kafka starts', () => /^kafka +starting/m.test(launcher.output()));
    launcher.child.kill('SIGINT');
    assert.equal(await launcher.exit, 1);
    assert.match(launcher.output(), /interrupted/);
    assert.deepEqual(readdirSync(join(home, 'run')), []);
  });

  test('ends what a killed launcher left, and finds its data', async () => {
    const launcher = run('--ports', 'auto', '--only', 'postgres,kafka');
    await eventually('the stack is up', () => launcher.output().includes('Up in'));
    await askPostgres(readEnv(home), 'CREATE TABLE kept AS SELECT 42 AS a');
    await withKafka(readEnv(home), async (kafka) => {
      const producer = kafka.producer();
      await producer.connect();
      await producer.send({ topic: 'kept', messages: [{ value: 'a' }] });
      await producer.disconnect();
    });
    const left = runningPids(home);
    launcher.child.kill('SIGKILL');
    await launcher.exit;
    for (const pid of left) assert.notEqual(identify(pid), undefined, 'a service outlives its launcher');

    const said: string[] = [];
    const onProgress = (line: string): void => {
      said.push(line);
    };
    const stack = await startStack({ home, ports: 'auto', services: ['postgres', 'kafka'], onProgress });
    try {
      for (const pid of left) {
        assert.ok(said.some((line) => line.includes(`ending process ${pid}, left by an earlier run`)));
        assert.equal(identify(pid), undefined);
      }
      assert.equal(await askPostgres(stack.env, 'SELECT a FROM kept'), 42);
      assert.equal(await countMessages(stack.env, 'kept'), 1);
    } finally {
      await stack.stop();
    }
  });

  test('starts PostgreSQL though another program has the number of its killed server', async () => {
    const options = { home, ports: 'auto', services: ['postgres'] } as const;
    await (await startStack(options)).stop();
    const owner = statSync(join(home, 'data', 'postgres'));
    const file = join(home, 'data', 'postgres', 'postmaster.pid');
    writeFileSync(file, `${process.pid}\n${join(home, 'data', 'postgres')}\n1700000000\n1\n\n127.0.0.1\n0 0\n`);
    chownSync(file, owner.uid, owner.gid);
    const stack = await startStack(options);
    await stack.stop();
  });

  test('names the busy port and its service in one line, and fails', async () => {
    const holder = createServer().listen(fixedPorts.postgres, '127.0.0.1');
    // If another program has the port already, that serves as well.
    holder.on('error', () => undefined);
    const launcher = run('--only', 'postgres');
    assert.equal(await launcher.exit, 1);
    holder.close();
    const line = `STACK_FAILED: port ${fixedPorts.postgres} (PostgreSQL) is in use by another program. Free it, or start with --ports auto.\n`;
    assert.equal(launcher.output(), line);
  });

  test('forgets earlier data when asked to', async () => {
    for (const { fresh, rows } of [
      { fresh: false, rows: 0 },
      { fresh: false, rows: 1 },
      { fresh: true, rows: 0 },
    ]) {
      const stack = await startStack({ home, ports: 'auto', services: ['postgres'], fresh });
      try {
        const count = "SELECT count(*)::int FROM pg_tables WHERE tablename = 'kept'";
        assert.equal(await askPostgres(stack.env, count), rows);
        await askPostgres(stack.env, 'CREATE TABLE IF NOT EXISTS kept (a int)');
      } finally {
        await stack.stop();
      }
    }
  });
});
