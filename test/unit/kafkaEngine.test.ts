import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { ingestOf } from '../../activities/kafkaEngine.ts';
import { Environment } from '../../adapters/environment.ts';
import { parsePipeline } from '../../core/definition.ts';
import { EngineJudge, engineComment, engineGroup } from '../../core/kafkaEngine.ts';

suite('whether ClickHouse takes in what waits', () => {
  const look = (
    judge: EngineJudge,
    atMs: number,
    { committed, end = 10n, failure = '' }: { committed: bigint; end?: bigint; failure?: string },
  ) => {
    const failures = new Map(failure === '' ? [] : [['a.b:c', failure]]);
    const { stuck, waitingMs } = judge.judge({
      atMs,
      failures,
      partitions: new Map([['a.b:c:0', { committed, end }]]),
    });
    return [stuck.get('a.b:c') ?? null, waitingMs.get('a.b:c')];
  };

  test('a failure counts once nothing has moved for two seconds', () => {
    const judge = new EngineJudge();
    assert.deepEqual(look(judge, 0, { committed: 5n, failure: 'no' }), [null, 0]);
    assert.deepEqual(look(judge, 1900, { committed: 5n, failure: 'no' }), [null, 1900]);
    assert.deepEqual(look(judge, 2100, { committed: 5n, failure: 'no' }), ['no', 2100]);
  });

  test('what moves, or has nothing to read, is not stuck', () => {
    const judge = new EngineJudge();
    look(judge, 0, { committed: 5n, failure: 'no' });
    assert.deepEqual(look(judge, 2100, { committed: 6n, failure: 'no' }), [null, 0]);
    assert.deepEqual(look(judge, 90_000, { committed: 10n, failure: 'no' }), [null, 0]);
    assert.deepEqual(look(judge, 180_000, { committed: 10n, failure: 'no' }), [null, 0]);
    // It may have waited since the look before, not longer.
    assert.deepEqual(look(judge, 180_500, { committed: 10n, end: 11n, failure: 'no' }), [null, 500]);
  });

  test('silence counts after fifteen seconds, but not while ClickHouse was away', () => {
    const judge = new EngineJudge();
    look(judge, 0, { committed: 5n });
    assert.deepEqual(look(judge, 14_000, { committed: 5n }), [null, 14_000]);
    assert.deepEqual(look(judge, 15_000, { committed: 5n }), ['nothing was taken in for 15 s', 15_000]);
    judge.forget();
    assert.deepEqual(look(judge, 16_000, { committed: 5n }), [null, 0]);
  });
});

test('an object says whose it is', () => {
  assert.equal(engineGroup('crm', engineComment('crm', 'a: b')), 'a: b');
  assert.equal(engineGroup('crm', engineComment('crm_2', 'a')), null);
  assert.equal(engineGroup('crm', 'tidegate 0123456789abcdef'), null);
});

test('the environment goes before the definition, and takes no other word', () => {
  const pipeline = parsePipeline(
    { name: 'sales', source: 'URL', tables: { t: {} }, stream: { ingest: 'kafka-engine' } },
    'x',
  );
  const ingest = (values: Record<string, string>) => ingestOf(new Environment(values), pipeline);
  assert.equal(ingest({}), 'kafka-engine');
  assert.equal(ingest({ SALES_INGEST: 'activity' }), 'activity');
  assert.throws(() => ingest({ SALES_INGEST: 'Kafka' }), /SALES_INGEST is 'Kafka'/);
});

test('a target that has the name of an object that ClickHouse reads by is refused', () => {
  const tables = { t: {}, u: { target: 't_kafka' } };
  const parse = (ingest: 'activity' | 'kafka-engine') =>
    parsePipeline({ name: 'x', source: 'URL', tables, stream: { ingest } }, 'x');
  assert.equal(parse('activity').tables.length, 2);
  assert.throws(() => parse('kafka-engine'), /'t_kafka'/);
});
