import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import type pg from 'pg';
import type { ActivityDeps } from '../../activities/deps.ts';
import { applyPlan, planPipeline } from '../../activities/planPipeline.ts';
import { connectPostgres } from '../../adapters/postgres.ts';
import type { PipelineInput } from '../../core/definition.ts';
import type { PlannedStep } from '../../core/plan.ts';
import { accountFor, asAccount } from '../../stack/postgresAccount.ts';
import { findPostgres } from '../../stack/postgresBinaries.ts';
import { type RunningStack, startStack } from '../../stack/stack.ts';
import { depsFor, uniqueName } from './streamSupport.ts';

const DEADLINE_MS = 60_000;
const applicationName = 'plan test';

/** On a PostgreSQL of its own: tests use up its slots and lower its wal_level. */
suite('what is wrong with a source is said before anything is created', () => {
  const home = mkdtempSync(join(tmpdir(), 'tidegate-plan-'));
  const name = uniqueName('plan');
  const opened: ActivityDeps[] = [];
  let stack: RunningStack;
  let admin: pg.Client;

  before(async () => {
    stack = await startStack({ home, ports: 'auto', services: ['postgres'] });
    admin = await connectPostgres(address(), { applicationName });
    await admin.query(`
      CREATE ROLE capture LOGIN REPLICATION PASSWORD 'capture'; CREATE ROLE weak LOGIN PASSWORD 'weak';
      CREATE TABLE good (id int PRIMARY KEY, v text); GRANT SELECT ON good TO capture, weak`);
  });
  after(async () => {
    for (const { clickhouse } of opened) await clickhouse.close();
    await admin?.end();
    await stack?.stop();
    rmSync(home, { recursive: true, force: true });
  });

  function address(role = ''): URL {
    const url = new URL(stack.env['POSTGRES_URL']!);
    if (role !== '') Object.assign(url, { username: role, password: role });
    return url;
  }

  function depsOf(tables: PipelineInput['tables'], role: string): ActivityDeps {
    const deps = depsFor(
      { name, source: { url: 'PLAN_URL', captureUrl: 'PLAN_CAPTURE_URL' }, tables },
      { PLAN_URL: address().href, PLAN_CAPTURE_URL: address(role).href },
    );
    opened.push(deps);
    return deps;
  }

  /** The one blocked item of a plan, after having made sure that apply refuses and creates nothing. */
  async function blockedItem(tables: PipelineInput['tables'], role = 'capture'): Promise<string> {
    const deps = depsOf(tables, role);
    const steps = await planPipeline(deps, name);
    const blocked = steps.filter(({ action }) => action === 'blocked');
    assert.equal(blocked.length, 1, JSON.stringify(steps));
    await assert.rejects(applyPlan(steps), { code: 'SOURCE_NOT_READY' });
    assert.equal((await admin.query('SELECT FROM pg_publication')).rowCount, 0);
    assert.deepEqual(await deps.clickhouse.rows(`SELECT 1 FROM system.databases WHERE name = '${name}'`), []);
    const { object, detail } = blocked[0]!;
    return `${object}: ${detail}`;
  }

  test('a column of a type that no rule covers', async () => {
    await admin.query('CREATE EXTENSION ltree; CREATE TABLE trees (id int PRIMARY KEY, path ltree)');
    await admin.query('GRANT SELECT ON trees TO capture');
    assert.match(
      await blockedItem({ trees: {}, good: {} }),
      /^table trees: .*column "path" of trees is of type ltree, .*load: 'reference'/,
    );
  });

  test('an array declared with two dimensions', async () => {
    await admin.query('CREATE TABLE grids (id int PRIMARY KEY, cells int[][]); GRANT SELECT ON grids TO capture');
    assert.match(await blockedItem({ grids: {} }), /"cells" of grids is of type integer\[\] of 2 dimensions/);
  });

  test('a table without a key', async () => {
    await admin.query('CREATE TABLE loose (a int); GRANT SELECT ON loose TO capture');
    assert.match(
      await blockedItem({ loose: {} }),
      /^table loose: .*no primary key.*ALTER TABLE "public"\."loose" ADD PRIMARY KEY/,
    );
  });

  test('names that Debezium does not capture, with SQL that mends them', async () => {
    await admin.query(`
      CREATE TABLE """odd" (id int PRIMARY KEY); CREATE SCHEMA """s"; CREATE TABLE """s".t (id int PRIMARY KEY);
      CREATE TABLE named (id int PRIMARY KEY, "'v'" text); CREATE TABLE fine (id int PRIMARY KEY, "v'" text);
      GRANT USAGE ON SCHEMA """s" TO capture; GRANT SELECT ON """odd", """s".t, named, fine TO capture`);
    assert.match(await blockedItem({ '"""odd"': {} }), /ALTER TABLE "public"\."""odd" RENAME TO <name>/);
    assert.match(await blockedItem({ '"""s".t': {} }), /ALTER SCHEMA """s" RENAME TO <name>/);
    assert.match(await blockedItem({ fine: {}, named: {} }), /^table named: .*RENAME COLUMN "'v'" TO <name>/);
  });

  test('a deferrable primary key, with SQL that mends it', async () => {
    await admin.query(`
      CREATE TABLE shifted (id int CONSTRAINT "the key" PRIMARY KEY DEFERRABLE, v text);
      ALTER TABLE shifted REPLICA IDENTITY FULL; GRANT SELECT ON shifted TO capture`);
    const line = await blockedItem({ shifted: {} });
    assert.match(line, /^table shifted: .*DEFERRABLE primary key/);
    await admin.query(/ALTER TABLE .*$/.exec(line)![0]);
    const steps = await planPipeline(depsOf({ shifted: {} }, 'capture'), name);
    assert.deepEqual(
      steps.filter(({ action }) => action === 'blocked'),
      [],
    );
  });

  test('a role without SELECT', async () => {
    await admin.query('CREATE TABLE hidden (id int PRIMARY KEY)');
    assert.match(await blockedItem({ hidden: {} }), /^table hidden: role capture .*GRANT SELECT ON "public"\."hidden"/);
  });

  test('a table whose row-level security would hide rows from the role, with SQL that mends it', async () => {
    await admin.query(
      'CREATE TABLE private (id int PRIMARY KEY); ALTER TABLE private ENABLE ROW LEVEL SECURITY; GRANT SELECT ON private TO capture',
    );
    const line = await blockedItem({ private: {} });
    assert.match(line, /^table private: its row-level security would hide rows from role capture\./);
    await admin.query(/ALTER ROLE .*$/.exec(line)![0]);
    const steps = await planPipeline(depsOf({ private: {} }, 'capture'), name);
    assert.ok(steps.every(({ action }) => action !== 'blocked'));
  });

  test('an unlogged table, with SQL that mends it', async () => {
    await admin.query('CREATE UNLOGGED TABLE fast (id int PRIMARY KEY); GRANT SELECT ON fast TO capture');
    assert.match(await blockedItem({ fast: {} }), /^table fast: .*unlogged.*ALTER TABLE "public"\."fast" SET LOGGED/);
  });

  test('a role without REPLICATION', async () => {
    assert.match(await blockedItem({ good: {} }, 'weak'), /role weak may not .*ALTER ROLE "weak" REPLICATION/);
  });

  test('a table that does not exist', async () => {
    assert.match(await blockedItem({ absent: {} }), /^table absent: .*no table absent/);
  });

  test('a column whose values may not arrive is a warning, which holds nothing up and which a CHECK ends', async () => {
    await admin.query(`
      CREATE DOMAIN finite AS interval CHECK (isfinite(VALUE));
      CREATE TABLE days (
        day date, at time, CONSTRAINT days_key PRIMARY KEY (day, at), opened time, price numeric(9,2), list int[],
        "the Day" date CHECK ("the Day" BETWEEN '1900-01-01' AND '2299-12-31'), closed timestamptz
          CHECK (closed >= '0001-01-01' AND closed < '10000-01-01'), span finite, cost numeric(9,2) CHECK (cost <> 'NaN'),
        counts int[] CHECK (array_ndims(counts) = 1 AND counts[1] > 0), gap interval
      );
      GRANT SELECT ON days TO capture`);
    const steps = await planPipeline(depsOf({ days: {} }, 'capture'), name);
    const warnings = steps.filter(({ action }: PlannedStep) => action === 'warn').map(({ object }) => object);
    const warned = ['day', 'at', 'opened', 'price', 'list', 'gap'];
    assert.deepEqual(
      warnings,
      warned.map((name) => `column "${name}" of days`),
    );
    assert.deepEqual(
      steps.filter(({ action }) => action === 'blocked'),
      [],
    );
  });

  test('no free slot', async () => {
    await admin.query(`
      SELECT pg_create_physical_replication_slot('taken_' || i)
      FROM generate_series(1, current_setting('max_replication_slots')::int) i`);
    assert.match(await blockedItem({ good: {} }), /no replication slot is free.*pg_replication_slots/);
    await admin.query('SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots');
  });

  test('wal_level below logical', async () => {
    await admin.end();
    await stack.stop();
    const folder = join(home, 'data', 'postgres');
    const { postgres } = await findPostgres();
    const settings = { listen_addresses: '127.0.0.1', port: address().port, unix_socket_directories: '' };
    const flags = Object.entries({ ...settings, wal_level: 'replica' }).flatMap(([key, value]) => [
      '-c',
      `${key}=${value}`,
    ]);
    const command = asAccount({ file: postgres, args: ['-D', folder, ...flags] }, await accountFor(folder, postgres));
    const server = spawn(command.file, command.args, { ...command, stdio: 'ignore' });
    const ended = once(server, 'exit');
    try {
      admin = await connectWhenUp();
      assert.match(await blockedItem({ good: {} }), /wal_level is replica.*ALTER SYSTEM SET wal_level = 'logical'/);
    } finally {
      await admin.end();
      server.kill('SIGINT');
      await ended;
    }
  });

  async function connectWhenUp(): Promise<pg.Client> {
    const deadline = Date.now() + DEADLINE_MS;
    for (;;) {
      try {
        return await connectPostgres(address(), { applicationName });
      } catch (error) {
        if (Date.now() > deadline) throw error;
      }
    }
  }
});
