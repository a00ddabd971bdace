import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Scenario } from './harness.ts';
import { until } from './until.ts';

const command = fileURLToPath(new URL('../../scripts/tidegate.ts', import.meta.url));

interface Tailed {
  table: string;
  op: string;
  landed: string;
  lagMs: number | null;
  before: Record<string, unknown> | null;
  after: Record<string, unknown> | null;
}

suite('tidegate tail', () => {
  let scenario: Scenario;
  const children: ChildProcess[] = [];

  before(async () => {
    scenario = await Scenario.open({
      ...{ label: 'tail', tables: ['things'] },
      ddl: 'CREATE TABLE things (id bigint PRIMARY KEY, n numeric); ALTER TABLE things REPLICA IDENTITY FULL',
      further: {
        events: { clicks: { topic: `tail_${process.pid}.clicks`, key: ['id'], columns: { id: { type: 'Int64' } } } },
      },
    });
    await scenario.sql('INSERT INTO things SELECT i, i FROM generate_series(1, 30) i');
    await scenario.waitUntilCaughtUp();
  });
  after(async () => {
    for (const child of children) child.kill('SIGKILL');
    await scenario?.[Symbol.asyncDispose]();
  });

  function tail(...flags: string[]) {
    const child = spawn(process.execPath, [command, 'tail', scenario.name, ...flags], {
      env: Object.fromEntries(scenario.environment.entries()),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    children.push(child);
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
    });
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    const lines = () => stdout.split('\n').filter(Boolean);
    return {
      child,
      lines,
      errors: () => stderr,
      ended: once(child, 'close').then(([code]) => code as number | null),
      json: () => lines().map((line) => JSON.parse(line) as Tailed),
      until: (count: number) =>
        until(lines, (found) => found.length >= count, { what: `${count} lines`, state: () => stderr }),
    };
  }

  const send = async (values: readonly string[]) => {
    const producer = scenario.kafka.producer();
    await producer.connect();
    await producer.send({ topic: `tail_${process.pid}.clicks`, messages: values.map((value) => ({ value })) });
    await producer.disconnect();
  };

  test('shows the last changes of one table and ends, or those from a start on', async () => {
    const last = tail('things', '--no-follow', '--last', '4', '--json');
    assert.equal(await last.ended, 0, last.errors());
    assert.deepEqual(
      last.json().map(({ table, op, landed, after: row }) => [table, op, landed, row?.['id']]),
      [27, 28, 29, 30].map((id) => ['things', 'insert', 'landed', id]),
    );
    const all = tail('--from', 'earliest', '--limit', '12');
    assert.equal(await all.ended, 0, all.errors());
    assert.equal(all.lines().length, 12);
    const recent = tail('--from', '1h', '--no-follow');
    assert.equal(await recent.ended, 0, recent.errors());
    assert.equal(recent.lines().length, 30);
  });

  test('follows changes and events as they land, dead letters as such, and ends with 0 when interrupted', async () => {
    const following = tail('--last', '1', '--json');
    await following.until(1);
    await scenario.sql('UPDATE things SET n = 12345678901234567890.10 WHERE id = 7; DELETE FROM things WHERE id = 8');
    await following.until(3);
    await send(['{"id":9223372036854775807}', '{"id":"none"}']);
    await following.until(5);
    following.child.kill('SIGINT');
    assert.equal(await following.ended, 0);
    const [first, update, remove, event, bad] = following.json();
    assert.equal(first?.lagMs, null);
    assert.deepEqual(
      [update?.op, update?.before?.['n'], update?.after?.['n']],
      ['update', '7', '12345678901234567890.10'],
    );
    assert.ok(update?.lagMs !== null && update!.lagMs >= 0);
    assert.deepEqual([remove?.op, remove?.before?.['id'], remove?.after], ['delete', 8, null]);
    assert.deepEqual([event?.table, event?.op, event?.landed], ['clicks', 'event', 'landed']);
    assert.ok(following.lines()[3]?.includes('9223372036854775807'), 'no digit is lost');
    assert.deepEqual([bad?.landed, bad?.after], ['dead letter', { id: 'none' }]);
  });

  test('holds back what has not landed, says that it waits, and leaves nothing behind', async () => {
    await scenario.pause();
    const following = tail('--from', 'latest');
    const groups = async () => {
      const admin = scenario.kafka.admin();
      await admin.connect();
      const { groups: all } = await admin.listGroups();
      await admin.disconnect();
      return all.filter(({ groupId }) => groupId.startsWith('tidegate-tail-')).length;
    };
    await until(groups, (count) => count > 0, { what: 'the tail reads' });
    await scenario.sql('INSERT INTO things VALUES (100, 1)');
    await until(following.errors, (text) => /messages wait in Kafka and do not land/.test(text), {
      what: 'it says so',
    });
    assert.deepEqual(following.lines(), []);
    await scenario.resume();
    await following.until(1);
    assert.match(following.lines()[0]!, /landed \+[\d.]+ m?s +things {2}insert {2}\{"id":100,"n":"1"\}$/);
    following.child.kill('SIGINT');
    assert.equal(await following.ended, 0);
    assert.equal(await groups(), 0);
  });
});
