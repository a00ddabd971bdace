import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import kafkajs from 'kafkajs';
import type { RelaySeams } from '../../activities/outboxRelay.ts';
import { applyPlan, planPipeline } from '../../activities/planPipeline.ts';
import { runRelay } from '../../activities/runRelay.ts';
import { runStream } from '../../activities/runStream.ts';
import { verifyTables } from '../../activities/verifyTables.ts';
import { deleteTopics, openKafka } from '../../adapters/kafka.ts';
import type { RelayProgress, StreamProgress, VerifyReport } from '../../core/activityTypes.ts';
import type { PipelineInput } from '../../core/definition.ts';
import { TidegateError } from '../../core/errors.ts';
import { until } from '../workflow/until.ts';
import { createSourceDatabase, depsFor, type SourceDatabase, startActivity, uniqueName } from './streamSupport.ts';

const name = uniqueName('outbox');
const variable = `${name.toUpperCase()}_URL`;

/** An outbox with a column of every kind of value that a message may hold. */
function definition(changes: Partial<NonNullable<PipelineInput['outboxes']>[string]> = {}): PipelineInput {
  return {
    ...{ name, source: variable },
    events: {
      letters: {
        ...{ topic: `${name}.letters`, partitions: 3, target: 'letters_versions', currentView: 'letters', key: ['id'] },
        columns: {
          id: { type: 'Int64' },
          who: { type: 'String', from: 'to' },
          at: { type: 'DateTime', epoch: 'seconds' },
          amount: { type: 'Decimal(20, 3)', optional: true },
          weight: { type: 'Float64', optional: true },
          seen: { type: 'DateTime64(6)', optional: true },
        },
      },
    },
    outboxes: {
      Post: {
        ...{ event: 'letters', id: 'id', sent: 'gone', partitionBy: 'who', batch: 100 },
        fields: {
          ...{ id: 'id', to: 'who', at: { column: 'at', epoch: 'seconds' } },
          ...{ amount: 'amount', weight: 'weight', seen: 'at' },
        },
        ...changes,
      },
    },
  };
}

suite('an outbox', { concurrency: false }, () => {
  let source: SourceDatabase;
  let deps: ReturnType<typeof depsFor>;
  const kafka = () => openKafka(deps.environment);
  const topic = `${name}.letters`;

  before(async () => {
    source = await createSourceDatabase(name, 'secret');
    deps = depsFor(definition(), { [variable]: source.captureUrl.href });
    await source.owner.query(
      'CREATE TABLE "Post" (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, who text NOT NULL, at timestamp NOT NULL, ' +
        'amount numeric, weight float8, gone boolean DEFAULT false)',
    );
  });
  after(async () => {
    await deps.clickhouse.command(`DROP DATABASE IF EXISTS ${name}`);
    await deps.clickhouse.close();
    await source?.drop();
    await deleteTopics(kafka(), [topic]);
  });

  const relay = (seams: RelaySeams = {}, other = deps) =>
    startActivity<RelayProgress, RelayProgress>(() => runRelay(other, seams).runRelay(name));
  const stream = () => startActivity<StreamProgress, StreamProgress>(() => runStream(deps).runStream(name));
  const verify = () => startActivity<VerifyReport, unknown>(() => verifyTables(deps, 6000).verifyTables(name)).result;
  const plan = async (action: string) => {
    const steps = await planPipeline(deps, name);
    return steps.filter((step) => step.object === 'outbox Post' && step.action === action).map(({ detail }) => detail);
  };
  const write = (rows: number) =>
    source.owner.query(
      `INSERT INTO "Post" (who, at, amount, weight) SELECT 'user "' || i % 7, timestamp '2024-05-06 07:08:09.123456' + i * interval '1 s',
         nullif(i % 5, 0) * 12345678901234.125, i / 3.0::float8 FROM generate_series(1, $1) i`,
      [rows],
    );
  const unsent = async () =>
    Number((await source.owner.query('SELECT count(*) FROM "Post" WHERE NOT gone')).rows[0].count);
  const drained = () => until(unsent, (rows) => rows === 0);
  /** Every message of the topic, by partition, in order. */
  const messages = async () => {
    const consumer = kafka().consumer({ groupId: uniqueName('outbox_reader'), maxWaitTimeInMs: 50 });
    const read: { partition: number; id: number; to: string }[] = [];
    const admin = kafka().admin();
    await admin.connect();
    const end = (await admin.fetchTopicOffsets(topic)).reduce((sum, { high }) => sum + Number(high), 0);
    await admin.disconnect();
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachMessage: async ({ partition, message }) => {
        read.push({ partition, ...JSON.parse(message.value!.toString()) });
      },
    });
    await until(
      () => read.length,
      (count) => count >= end,
    );
    await consumer.disconnect();
    return read;
  };
  /** Fails unless the first message of each id stands in the order of ids, for each user. */
  const assertOrdered = (read: Awaited<ReturnType<typeof messages>>) => {
    const seen = new Set<number>();
    const last = new Map<string, { id: number; partition: number }>();
    for (const { id, to, partition } of read) {
      if (seen.has(id)) continue;
      seen.add(id);
      const before = last.get(to);
      assert.ok(
        before === undefined || (before.id < id && before.partition === partition),
        `${to}: ${id} after ${before?.id}`,
      );
      last.set(to, { id, partition });
    }
    return seen.size;
  };

  test('is refused with the SQL that mends it, until a role may do just what it has to', async () => {
    const { role, owner } = source;
    for (const problem of [
      /may not read and mark its rows\. As its owner run: (GRANT .*;)/,
      /would never be sent\. As its owner run: (.*;)/,
    ]) {
      const [detail] = await plan('blocked');
      assert.match(detail ?? '', problem);
      await owner.query(problem.exec(detail!)![1]!);
    }
    assert.deepEqual(await plan('blocked'), []);
    const [warning] = await plan('warn');
    assert.match(warning ?? '', /each look reads the whole table. As its owner run: CREATE INDEX/);
    await owner.query(/CREATE INDEX.*;/.exec(warning!)![0]);
    assert.deepEqual(await plan('warn'), []);
    const { rows } = await owner.query(
      `SELECT has_table_privilege($1, '"Post"', 'INSERT, DELETE, UPDATE') AS more, has_column_privilege($1, '"Post"', 'who', 'UPDATE') AS other`,
      [role],
    );
    assert.deepEqual(rows, [{ more: false, other: false }]);
    await applyPlan(await planPipeline(deps, name));
  });

  test('is sent in order, marked, landed, and equal to its events', async () => {
    await write(1000);
    await using relaying = relay();
    await using _stream = stream();
    const report = await verify();
    assert.deepEqual(
      report.tables.map(({ table, load, sourceRows, targetRows, equal }) => ({
        table,
        load,
        sourceRows,
        targetRows,
        equal,
      })),
      [{ table: 'letters', load: 'events', sourceRows: 1000, targetRows: 1000, equal: true }],
    );
    assert.equal(await unsent(), 0);
    await until(relaying.beat, (beat) => beat?.outboxes['Post']?.relayed === 1000);
    assert.equal(assertOrdered(await messages()), 1000);
    await source.owner.query('DELETE FROM "Post" WHERE id <= 100');
    assert.equal((await verify()).ok, true, 'what the outbox no longer has is not asked for');
    await source.owner.query('UPDATE "Post" SET amount = 7 WHERE id = 101');
    await source.owner.query(`INSERT INTO "Post" (who, at, gone) VALUES ('never sent', now(), true)`);
    const different = await verify();
    assert.deepEqual(different.tables[0]?.differences, [
      { key: '["1001"]', kind: 'missing' },
      { key: '["101"]', kind: 'different' },
    ]);
    await source.owner.query('DELETE FROM "Post"');
  });

  test('whose relay dies after the acknowledgement, before the marks, is sent again, and each row counts once', async () => {
    await write(500);
    let batches = 0;
    const dying = relay({ beforeMark: async () => (++batches === 3 ? Promise.reject(typed()) : undefined) });
    await assert.rejects(dying.result, /died/);
    assert.equal(await unsent(), 300);
    await using _relay = relay();
    await using _stream = stream();
    const report = await verify();
    assert.equal(report.ok, true, JSON.stringify(report));
    assert.equal(report.tables[0]?.sourceRows, 500);
    const read = await messages();
    assert.equal(read.length, assertOrdered(read) + 100, 'one batch was sent twice');
    await source.owner.query('DELETE FROM "Post"');
  });

  test('with two relays is sent by one, and by the other once that has ended', async () => {
    const first = relay();
    await until(first.beat, (beat) => beat?.outboxes['Post']?.rows != null);
    await using second = relay();
    await until(second.beat, (beat) => /Another relay/.test(beat?.outboxes['Post']?.problem ?? ''));
    await write(300);
    await drained();
    assert.equal(second.beat()?.outboxes['Post']?.relayed, 0);
    first.cancel();
    assert.equal((await first.result).outboxes['Post']?.relayed, 300);
    await write(300);
    await drained();
    await until(
      second.beat,
      (beat) => beat?.outboxes['Post']?.relayed === 300 && beat.outboxes['Post'].problem === null,
    );
    await source.owner.query('DELETE FROM "Post"');
  });

  test('says why while its source or the brokers are away, and loses nothing', async () => {
    const away = depsFor(definition(), { [variable]: source.captureUrl.href, KAFKA_BROKERS: '127.0.0.1:9' });
    await write(10);
    const waiting = relay({}, away);
    await until(waiting.beat, (beat) => /Kafka failed/.test(beat?.outboxes['Post']?.problem ?? ''));
    waiting.cancel();
    await waiting.result;
    assert.equal(await unsent(), 10);
    await away.clickhouse.close();
    await using _relay = relay();
    await drained();
    await source.owner.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1', [
      `tidegate outbox ${name}`,
    ]);
    await write(10);
    await drained();
    await source.owner.query('DELETE FROM "Post"');
  });

  test('stops at a row that the topic does not take, naming it; rows before it are sent, rows after it wait', async () => {
    await setMaxBytes('20000');
    await write(150);
    await source.owner.query(`INSERT INTO "Post" (who, at) SELECT repeat('x', 30000), now()`);
    await write(10);
    const { rows } = await source.owner.query(`SELECT id FROM "Post" WHERE length(who) > 1000`);
    await assert.rejects(relay().result, (error) => {
      assert.ok(error instanceof TidegateError);
      assert.equal(error.code, 'MESSAGE_TOO_LARGE');
      assert.match(error.message, new RegExp(`does not take the row with id ${rows[0].id}`));
      return true;
    });
    assert.ok((await unsent()) <= 61, 'whole batches before it are marked');
    await setMaxBytes('1048588');
    await using _relay = relay();
    await drained();
    await source.owner.query('DELETE FROM "Post"');
  });

  async function setMaxBytes(value: string): Promise<void> {
    const admin = kafka().admin();
    await admin.connect();
    const configEntries = [{ name: 'max.message.bytes', value }];
    await admin.alterConfigs({
      validateOnly: false,
      resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configEntries }],
    });
    await admin.disconnect();
  }

  test('keeps the pace that it is given', async () => {
    const slow = depsFor(definition({ batch: 1, pauseMs: 300 }), { [variable]: source.captureUrl.href });
    await write(4);
    const began = performance.now();
    await using _relay = relay({}, slow);
    await drained();
    assert.ok(performance.now() - began >= 900, 'three pauses lie between four rows');
    await slow.clickhouse.close();
  });
});

function typed(): TidegateError {
  return new TidegateError('STACK_FAILED', 'died', { remedy: 'It is a test.' });
}
