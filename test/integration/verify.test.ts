import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import pg from 'pg';
import { copyReference } from '../../activities/copyReference.ts';
import { copySnapshot } from '../../activities/copySnapshot.ts';
import type { ActivityDeps } from '../../activities/deps.ts';
import { runStream } from '../../activities/runStream.ts';
import { recordSchemas } from '../../activities/schemaRecord.ts';
import { verifyTables } from '../../activities/verifyTables.ts';
import { watchConnector } from '../../activities/watchConnector.ts';
import { Connect } from '../../adapters/connect.ts';
import { deleteTopics, openKafka } from '../../adapters/kafka.ts';
import { readCatalog } from '../../adapters/postgresCatalog.ts';
import type { ConnectorHealth, StreamProgress, VerifyProgress, VerifyReport } from '../../core/activityTypes.ts';
import { TidegateError } from '../../core/errors.ts';
import { parseLsn } from '../../core/lsn.ts';
import { firstVersion } from '../../core/schemaVersion.ts';
import { until } from '../workflow/until.ts';
import {
  createSourceDatabase,
  depsFor,
  type RunningActivity,
  type SourceDatabase,
  startActivity,
  uniqueName,
} from './streamSupport.ts';

const name = uniqueName('verifylab');
const variable = `${name.toUpperCase()}_URL`;
const slot = `tidegate_${name}`;
const input = { name, source: variable, tables: { things: {}, paged: {}, labels: { load: 'reference' as const } } };
/** Long enough for a connector's heartbeat, short enough to wait for where nothing will come. */
const IMPATIENT = 6000;
let source: SourceDatabase;
let deps: ReturnType<typeof depsFor>;
let stream: RunningActivity<StreamProgress, StreamProgress>;
let watch: RunningActivity<ConnectorHealth | null, ConnectorHealth>;

const startStream = () => startActivity<StreamProgress, StreamProgress>(() => runStream(deps).runStream(name));
const startWatch = () =>
  startActivity<ConnectorHealth | null, ConnectorHealth>(() => watchConnector(deps).watchConnector(name));
const running = (patienceMs?: number) =>
  startActivity<VerifyReport, VerifyProgress>(() => verifyTables(deps, patienceMs).verifyTables(name));
const verify = (patienceMs?: number) => running(patienceMs).result;
const loadLabels = () => startActivity(() => copyReference(deps).copyReference(name, 'labels')).result;
const fails = (code: string) => (error: unknown) => error instanceof TidegateError && error.code === code;
const differencesOf = (report: VerifyReport, table: string) =>
  report.tables.find((each) => each.table === table)?.differences;
/** Writes into the target behind the stream's back. */
const tamper = (id: number, { value, deleted }: { value: string; deleted: 0 | 1 }) =>
  deps.clickhouse.command(
    `INSERT INTO ${name}.things (id, name, amount, _version, _deleted) VALUES (${id}, '${value}', 1, toUInt128('${2n ** 127n}'), ${deleted})`,
  );

before(async () => {
  source = await createSourceDatabase(name, 'secret');
  deps = depsFor(input, { [variable]: source.captureUrl.href });
  await source.owner.query('CREATE TABLE things (id int PRIMARY KEY, name text, amount numeric(10,2))');
  await source.owner.query('CREATE TABLE labels (code text, region int, label text, PRIMARY KEY (region, code))');
  await source.owner.query("INSERT INTO things SELECT i, 'thing ' || i, i FROM generate_series(1, 20000) i");
  await source.owner.query(
    `INSERT INTO labels SELECT 'ü"' || i, i % 4, NULLIF('l' || i, 'l3') FROM generate_series(1, 50) i`,
  );
  // About one row a page, so that it is read in several parts.
  await source.owner.query(`CREATE TABLE paged (id int PRIMARY KEY, v text) WITH (fillfactor = 10);
    INSERT INTO paged SELECT i, repeat('x', 500) FROM generate_series(1, 6000) i`);
  await source.owner.query(`CREATE PUBLICATION ${slot} FOR TABLE things, paged`);
  await startActivity(() => copySnapshot(deps).copySnapshot(name)).result;
  await loadLabels();
  watch = startWatch();
  stream = startStream();
});

after(async () => {
  watch?.cancel();
  stream?.cancel();
  await Promise.allSettled([watch?.result, stream?.result]);
  await Connect.from(deps.environment).delete(name);
  await deleteTopics(openKafka(deps.environment), [
    `${name}.public.things`,
    `${name}.public.paged`,
    `__debezium-heartbeat.${name}`,
  ]);
  await deps.clickhouse.command(`DROP DATABASE IF EXISTS ${name}`);
  await deps.clickhouse.close();
  await source?.drop();
});

test('a pipeline in step is equal at an LSN that the source had reached', async () => {
  await source.owner.query("UPDATE things SET name = 'changed' WHERE id % 100 = 0; DELETE FROM things WHERE id = 7");
  const { rows } = await source.owner.query('SELECT pg_current_wal_lsn()::text AS lsn');
  const report = await verify();
  assert.equal(report.ok, true, JSON.stringify(report));
  assert.ok(parseLsn(report.lsn) >= parseLsn(rows[0].lsn));
  assert.deepEqual(
    report.tables.map(({ table, load, sourceRows, targetRows }) => [table, load, sourceRows, targetRows]),
    [
      ['things', 'stream', 19_999, 19_999],
      ['paged', 'stream', 6000, 6000],
      ['labels', 'reference', 50, 50],
    ],
  );
});

test('rows that are written all the while are no differences', async () => {
  const writer = new pg.Client(source.url.href);
  await writer.connect();
  let writing = true;
  const traffic = (async () => {
    for (let id = 30_000; writing; id++) {
      await writer.query("INSERT INTO things VALUES ($1, 'live', 1)", [id]);
      await writer.query("UPDATE things SET name = name || '.' WHERE id = $1", [1 + (id % 50)]);
      await writer.query('DELETE FROM things WHERE id = $1', [id - 3]);
    }
  })();
  try {
    const report = await verify();
    assert.equal(report.ok, true, JSON.stringify(report));
    await tamper(15_000, { value: 'wrong', deleted: 0 });
    assert.deepEqual(differencesOf(await verify(), 'things'), [{ key: '["15000"]', kind: 'different' }]);
  } finally {
    writing = false;
    await traffic;
    await writer.end();
  }
});

test('a changed value, a missing row and an extra row are found with their keys', async () => {
  await tamper(15_000, { value: 'wrong', deleted: 0 });
  await tamper(15_001, { value: '', deleted: 1 });
  await tamper(99_999, { value: 'extra', deleted: 0 });
  await source.owner.query("UPDATE labels SET label = 'new' WHERE region = 3 AND code LIKE '%\"7'");
  const report = await verify();
  assert.equal(report.ok, false);
  const byKey = (differences: VerifyReport['tables'][number]['differences'] = []) =>
    differences.toSorted((a, b) => a.key.localeCompare(b.key));
  assert.deepEqual(byKey(differencesOf(report, 'things')), [
    { key: '["15000"]', kind: 'different' },
    { key: '["15001"]', kind: 'missing' },
    { key: '["99999"]', kind: 'extra' },
  ]);
  assert.deepEqual(differencesOf(report, 'labels'), [{ key: '["3","ü\\"7"]', kind: 'different' }]);
  await loadLabels();
  assert.deepEqual(differencesOf(await verify(), 'labels'), []);
});

test('of many differences twenty are listed, also when the planner knows nothing of the table', async () => {
  await deps.clickhouse.command(`TRUNCATE TABLE ${name}.labels`);
  await source.owner.query("INSERT INTO labels SELECT 'more' || i, 9, NULL FROM generate_series(1, 10000) i");
  const report = await verify();
  const labels = report.tables.find(({ table }) => table === 'labels');
  assert.equal(labels?.equal, false);
  assert.deepEqual([labels?.sourceRows, labels?.targetRows, labels?.differences.length], [10_050, 0, 20]);
});

test('an attempt goes on where the one before broke off', async () => {
  let inserts: string[] = [];
  /** Breaks at an insert. */
  const breakingAt = (last: number): ActivityDeps['clickhouse'] =>
    new Proxy(deps.clickhouse, {
      get(clickhouse, member: keyof ActivityDeps['clickhouse']) {
        if (member !== 'insert') return clickhouse[member].bind(clickhouse);
        return (options: Parameters<typeof clickhouse.insert>[0]) => {
          inserts.push(options.into);
          if (inserts.length < last) return clickhouse.insert(options);
          throw new TidegateError('SERVICE_UNREACHABLE', 'it broke', { remedy: 'Go on.' });
        };
      },
    });
  const attempt = (on: ActivityDeps, last?: VerifyProgress) =>
    startActivity<VerifyReport, VerifyProgress>(() => verifyTables(on).verifyTables(name), last);
  const broken = attempt({ ...deps, clickhouse: breakingAt(3) });
  await assert.rejects(broken.result, fails('SERVICE_UNREACHABLE'));
  const last = JSON.parse(JSON.stringify(broken.beat())) as VerifyProgress;
  assert.deepEqual([last.comparing, last.tables.length, last.scan?.done], ['paged', 1, 1]);

  // What is wrong now in a table that is done is not seen again.
  await tamper(15_001, { value: 'wrong', deleted: 0 });
  // Of the part that was under way, some rows may have come.
  const scratch = `${name}.paged_verify_${last.scan?.token}`;
  await deps.clickhouse.command(`INSERT INTO ${scratch} (key, hash, side, part) VALUES ('["1"]', 1, 1, 1)`);
  inserts = [];
  const report = await attempt({ ...deps, clickhouse: breakingAt(1000) }, structuredClone(last)).result;
  assert.equal(
    inserts.filter((into) => into === `\`${name}\`.\`paged_verify_${last.scan?.token}\``).length,
    last.scan!.parts - 1,
  );
  assert.equal(report.tables.find(({ table }) => table === 'paged')?.sourceRows, 6000);
  assert.deepEqual(differencesOf(report, 'things'), last.tables[0]?.differences);
  assert.equal(differencesOf(report, 'things')?.find(({ key }) => key === '["15001"]')?.kind, 'missing');
  assert.deepEqual(differencesOf(report, 'paged'), []);
  assert.equal(report.lsn, last.lsn);
});

test('a column that the target lacks is drift, and a missing target is said', async () => {
  await source.owner.query('ALTER TABLE labels ADD COLUMN note text');
  await assert.rejects(verify(), fails('SCHEMA_DRIFT'));
  await deps.clickhouse.command(`DROP TABLE ${name}.labels`);
  await assert.rejects(verify(), fails('NOT_STARTED'));
  await loadLabels();
});

test('a table that is left aside is neither waited for nor compared, and the report says why', async () => {
  const [table] = deps.pipeline.tables as [(typeof deps.pipeline.tables)[0]];
  const version = firstVersion(await readCatalog(source.owner, table));
  const record = (aside: string | null) =>
    recordSchemas(deps.clickhouse, deps.pipeline, {
      ...{ lsn: '0/1', tables: [{ table: 'things', version: { ...version, aside }, changes: [] }] },
    });
  stream.cancel();
  await stream.result;
  await source.owner.query("UPDATE things SET name = 'nobody reads it' WHERE id = 2");
  await record('it cannot be followed. Mend it.');
  const report = await verify();
  const [things, , labels] = report.tables;
  assert.equal(report.ok, false);
  assert.deepEqual([things?.notCompared, things?.sourceRows], ['it cannot be followed. Mend it.', null]);
  assert.deepEqual([labels?.notCompared, labels?.equal], [null, true]);
  await record(null);
});

test('a stream that stands is told, and a stopped connector, and a lost slot', async () => {
  stream.cancel();
  await stream.result;
  await source.owner.query("UPDATE things SET name = 'unseen' WHERE id = 1");
  await assert.rejects(
    verify(IMPATIENT),
    (error) => fails('NOT_STARTED')(error) && /does not run, or stands still/.test(String(error)),
  );
  const waiting = running(IMPATIENT);
  await until(
    async () =>
      (
        await source.owner.query('SELECT 1 FROM pg_stat_activity WHERE application_name = $1', [
          `tidegate verify ${name}`,
        ])
      ).rowCount,
    (count) => count === 1,
  );
  waiting.cancel();
  await assert.rejects(waiting.result, { name: 'CancelledFailure' });

  watch.cancel();
  await watch.result;
  await Connect.from(deps.environment).stop(name);
  await assert.rejects(verify(IMPATIENT), fails('CONNECTOR_FAILED'));
  await source.owner.query('SELECT pg_drop_replication_slot($1)', [slot]);
  await assert.rejects(verify(IMPATIENT), fails('SLOT_LOST'));
});
