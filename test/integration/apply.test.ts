import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { planLeftovers } from '../../activities/plan/leftovers.ts';
import { applyPlan, planPipeline } from '../../activities/planPipeline.ts';
import { recordSnapshotStart } from '../../activities/snapshotRecord.ts';
import { Connect } from '../../adapters/connect.ts';
import { createTopics, deleteTopics, listTopics, moveGroupToEnds, openKafka } from '../../adapters/kafka.ts';
import { Temporal } from '../../adapters/temporal.ts';
import { createSchedule, readSchedules } from '../../adapters/temporalSchedules.ts';
import type { PipelineInput } from '../../core/definition.ts';
import { topicOf } from '../../core/names.ts';
import type { PlannedStep } from '../../core/plan.ts';
import { wantedSchedules } from '../../core/schedules.ts';
import type { ChildWork } from './applyChild.ts';
import { createSourceDatabase, depsFor, type SourceDatabase, uniqueName } from './streamSupport.ts';

const child = fileURLToPath(new URL('applyChild.ts', import.meta.url));
const changes = (steps: readonly PlannedStep[]) =>
  steps.filter(({ action }) => ['create', 'change', 'drop', 'blocked'].includes(action)).map(({ object }) => object);

suite('apply', () => {
  const name = uniqueName('apply');
  const variable = `${name.toUpperCase()}_URL`;
  let source: SourceDatabase;
  let settings: Record<string, string>;
  const kafka = () => openKafka(depsFor({ name, source: variable, tables: { a: {} } }, settings).environment);
  const whole: PipelineInput = {
    ...{ name, source: { url: `${variable}`, captureUrl: `${variable}_CAPTURE` } },
    tables: { a: {}, 'b c': {}, r: { load: 'reference' } },
    events: { pings: { topic: `${name}.pings`, columns: { id: { type: 'Int64' } }, key: ['id'] } },
  };
  const opened: { close(): Promise<void> }[] = [];
  const depsOf = (input: PipelineInput) => {
    const deps = depsFor(input, settings);
    opened.push(deps.clickhouse);
    return deps;
  };
  const plan = async (input: PipelineInput) => {
    const deps = depsOf(input);
    return [...(await planPipeline(deps, name)), ...(await planLeftovers(deps, name))];
  };

  before(async () => {
    source = await createSourceDatabase(name, 'secret');
    settings = { [variable]: source.url.href, [`${variable}_CAPTURE`]: source.captureUrl.href };
    await source.owner.query(
      'CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE "b c" (id int PRIMARY KEY, v text); CREATE TABLE r (id int PRIMARY KEY)',
    );
  });
  after(async () => {
    const deps = depsOf(whole);
    const topics = (await listTopics(kafka())).filter((topic) => topic.startsWith(`${name}.`));
    await deleteTopics(kafka(), topics);
    await Connect.from(deps.environment).delete(`${name}_old`);
    await deps.clickhouse.command(`DROP DATABASE IF EXISTS ${name} SYNC`);
    for (const each of opened) await each.close();
    await source?.drop();
  });

  test('killed with -9 again and again, in and after its steps, it goes on where it was, and then has nothing to do', async () => {
    const wanted = changes(await plan(whole));
    assert.ok(wanted.length > 12, wanted.join('; '));
    const killed = async (kills: number) => {
      const kill = kills % 2 === 0 ? 'during' : 'after';
      const work: ChildWork = { input: whole, settings, kill, step: 1 + (kills % 3) };
      const running = spawn(process.execPath, [child, JSON.stringify(work)], {
        stdio: ['ignore', 'inherit', 'inherit'],
      });
      const [code, signal] = await once(running, 'exit');
      assert.ok(signal === 'SIGKILL' || code === 0, `${code} ${signal}`);
      return signal === 'SIGKILL';
    };
    let kills = 0;
    while (await killed(kills)) {
      kills += 1;
      assert.ok(kills < 2 * wanted.length, `still not done after ${kills} kills`);
    }
    assert.ok(kills >= wanted.length / 3, `${kills} kills, ${wanted.length} steps`);
    assert.deepEqual(changes(await plan(whole)), []);

    // A view or a table that is half made would refuse this.
    const { clickhouse } = depsOf(whole);
    const names = await clickhouse.rows<{ name: string }>(`SELECT name FROM system.tables WHERE database = '${name}'`);
    for (const { name: object } of names.filter((each) => !/_landing$|_mv$/.test(each.name))) {
      await clickhouse.rows(`SELECT * FROM ${name}.\`${object}\` LIMIT 1`);
    }
    assert.deepEqual(
      (await source.owner.query('SELECT tablename FROM pg_publication_tables ORDER BY 1')).rows.map(
        (row) => row.tablename,
      ),
      ['a', 'b c'],
    );
  });

  test('what the definition names no more is shown, and stays until it is asked to be pruned', async () => {
    const deps = depsOf(whole);
    const { pipeline, clickhouse, environment } = deps;
    await applyPlan(await planPipeline(deps, name));
    // As streams would have left it: a snapshot's record, a slot, a connector, committed offsets, schedules.
    await recordSnapshotStart(clickhouse, pipeline);
    const slot = pipeline.stream.slot;
    await source.owner.query(
      "SELECT pg_create_logical_replication_slot($1, 'pgoutput'), pg_create_logical_replication_slot($2, 'pgoutput')",
      [slot, `${name}_foreign`],
    );
    const connect = Connect.from(environment);
    const config = {
      ...{ 'connector.class': 'io.debezium.connector.postgresql.PostgresConnector', 'topic.prefix': name },
      ...{ 'database.hostname': source.url.hostname, 'database.port': source.url.port, 'database.user': source.role },
      ...{ 'database.password': 'secret', 'database.dbname': name, 'slot.name': slot, 'plugin.name': 'pgoutput' },
    };
    await connect.createStopped(`${name}_old`, config);
    const topicsOfTables = pipeline.tables
      .filter(({ load }) => load === 'stream')
      .map((table) => topicOf(pipeline, table));
    await createTopics(kafka(), [`${name}.foreign`]);
    await moveGroupToEnds(kafka(), { group: pipeline.stream.consumerGroup, topics: topicsOfTables });
    await clickhouse.command(`CREATE TABLE ${name}.by_hand (id Int32) ENGINE = Memory`);
    await clickhouse.command(`CREATE VIEW ${name}.view_by_hand AS SELECT 1`);
    await using temporal = Object.assign(await Temporal.connect(environment), {
      async [Symbol.asyncDispose]() {
        await temporal.close();
      },
    });
    for (const schedule of wantedSchedules([pipeline])) await createSchedule(temporal.client, schedule);

    const less: PipelineInput = {
      ...{ name, source: whole.source, tables: { a: {} } },
      stream: { slot: `${name}_new`, publication: pipeline.stream.publication },
    };
    const left = [
      `publication ${pipeline.stream.publication}, table "public"."b c"`,
      `connector ${name}_old`,
      `slot ${slot}`,
      `topic ${name}.public.b_c`,
      `view ${name}.b c_current`,
      `view ${name}.pings_current`,
      `table ${name}.b c`,
      `table ${name}.pings`,
      `schedule reference-${name}-r`,
    ];
    const dropped = async () =>
      (await plan(less)).filter(({ action }) => action === 'drop').map(({ object }) => object);
    assert.deepEqual((await dropped()).sort(), left.toSorted());
    await applyPlan(await plan(less));
    assert.deepEqual((await dropped()).sort(), left.toSorted());

    const done: string[] = [];
    await applyPlan(await plan(less), { prune: true, onDone: ({ object }) => done.push(object) });
    assert.deepEqual(done.sort(), left.toSorted());
    assert.deepEqual(changes(await plan(less)), []);

    assert.equal(await connect.config(`${name}_old`), null);
    const slots = await source.owner.query(
      'SELECT slot_name FROM pg_replication_slots WHERE database = current_database()',
    );
    assert.deepEqual(slots.rows, [{ slot_name: `${name}_foreign` }]);
    const topics = (await listTopics(kafka())).filter((topic) => topic.startsWith(`${name}.`));
    assert.deepEqual(topics.sort(), [`${name}.foreign`, `${name}.pings`, `${name}.public.a`]);
    const tables = await clickhouse.rows<{ name: string }>(
      `SELECT name FROM system.tables WHERE database = '${name}' AND name NOT LIKE 'a%' ORDER BY name`,
    );
    assert.deepEqual(
      tables.map((table) => table.name),
      ['by_hand', 'dead_letters', 'r', 'tidegate_snapshots', 'view_by_hand'],
    );
    const schedules = await readSchedules(temporal.client, wantedSchedules([pipeline]));
    assert.deepEqual(
      schedules.filter((each) => each.pipeline === name).map(({ id }) => id),
      [`verify-${name}`],
    );
    await temporal.client.schedule.getHandle(`verify-${name}`).delete();
  });
});
