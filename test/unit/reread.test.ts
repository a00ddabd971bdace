import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { UNAVAILABLE_VALUE } from '../../core/connectorConfig.ts';
import { isRereadable, isVisible, rereadPlan } from '../../core/reread.ts';
import { eraOf } from '../../core/schemaVersion.ts';
import { sourceColumn, sourceTable, targetShape } from './typesSource.ts';

suite('what a snapshot sees of a transaction that is known to have been committed', () => {
  test('is all but what has not ended, and what came later', () => {
    const seen = (txId: number) => isVisible('100:110:103,105', BigInt(txId));
    assert.deepEqual([99, 100, 104, 109].map(seen), [true, true, true, true]);
    assert.deepEqual([103, 105, 110, 111].map(seen), [false, false, false, false]);
    assert.ok(isVisible('100:100:', 99n));
  });

  test('does not depend on how often ids have begun anew', () => {
    const next = 3n * 2n ** 32n + 5n;
    const seen = (txId: bigint) => isVisible(`${next - 8n}:${next}:${next - 3n}`, txId);
    assert.deepEqual([2n ** 32n - 1n, 4n, 1n].map(seen), [true, true, true]);
    assert.deepEqual([2n, 5n, 6n].map(seen), [false, false, false]);
  });
});

suite('a message that leaves a value open', () => {
  const source = sourceTable([sourceColumn('body', 'text', 'text', { attnum: 2 })]);
  const shape = targetShape(source);
  const plan = rereadPlan({ ...shape, era: eraOf(source) });
  const line = (parts: object) =>
    Buffer.from(
      `${JSON.stringify({
        _partition: 3,
        _offset: 9,
        before: null,
        after: null,
        source: { txId: 7, lsn: 8 },
        op: 'u',
        ...parts,
      }).replaceAll('"9007199254740993"', '9007199254740993')}\n`,
    );
  const after = { id: '9007199254740993', body: UNAVAILABLE_VALUE };

  test('takes over the row at the source, with its numbers, key and coordinates as they were written', () => {
    const message = plan.parse(line({ after }))!;
    assert.deepEqual([message.key, message.txId], [['9007199254740993'], 7n]);
    const completed = String(message.complete('{"id":"9007199254740993","body":"é\\n"}'));
    assert.match(completed, /^\{"_partition":3,"_offset":9,.*\}\n$/);
    assert.match(completed, /"after":\{"id":9007199254740993,"body":"é\\n"\},"source":\{"txId":7,"lsn":8\}/);
    assert.match(completed, /"_reread":1/);
  });

  test('becomes the delete of its key when the row is gone, or of the key that it had before', () => {
    const gone = JSON.parse(String(plan.parse(line({ after: { ...after, id: 5 } }))!.complete(null)));
    assert.deepEqual([gone.op, gone.before.id, gone.after], ['d', 5, null]);
    const moved = plan.parse(line({ before: { id: 4, body: null }, after: { ...after, id: 5 } }))!;
    assert.equal(JSON.parse(String(moved.complete(null))).before.id, 4);
  });

  test('is left alone when it says of no row, or not of which', () => {
    const lines = [
      line({ op: 'd', before: after }),
      line({ after, source: { lsn: 8 } }),
      line({ after: { ...after, id: UNAVAILABLE_VALUE } }),
      line({ after: { ...after, id: null } }),
      Buffer.from('{"_partition":3,\n'),
    ];
    assert.deepEqual(lines.map(plan.parse), [null, null, null, null, null]);
  });

  test('can be completed where PostgreSQL reads its key as Debezium writes it', () => {
    const keyed = (type: string, typeName: string) =>
      isRereadable(targetShape(sourceTable([sourceColumn('k', type, typeName)], { primaryKey: ['k'] })));
    assert.ok(keyed('bytea', 'bytea'));
    assert.ok(!keyed('time with time zone', 'timetz'));
    const keyless = targetShape(sourceTable([], { primaryKey: [], replicaIdentity: 'f' }));
    assert.ok(!isRereadable({ ...keyless, table: { ...keyless.table, duplicates: 'collapse' } }));
  });
});
