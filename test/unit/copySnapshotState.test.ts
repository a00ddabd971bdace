import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judgeSnapshot, type SnapshotEvidence } from '../../core/snapshotState.ts';

const good: SnapshotEvidence = {
  slot: { name: 's', confirmedFlushLsn: 150n, walStatus: 'reserved' },
  record: { source: '7/db', finished: true, consistentPoint: 100n, tables: [{ table: 't', targetUuid: 'u' }] },
  source: '7/db',
  tables: [{ table: 't', targetUuid: 'u' }],
  connectorLsn: 160n,
};
const slotAt = (confirmedFlushLsn: bigint) => ({ name: 's', confirmedFlushLsn, walStatus: 'reserved' });

test('a slot that the connector has moved on continues its snapshot', () => {
  assert.equal(judgeSnapshot(good).finished, true);
});

test('a slot at its beginning continues its snapshot, whatever the connector has stored', () => {
  for (const connectorLsn of [null, undefined, 90n, 100n, 170n]) {
    assert.equal(judgeSnapshot({ ...good, slot: slotAt(100n), connectorLsn }).finished, true, String(connectorLsn));
  }
});

test('a slot beyond what the connector has stored was created again', () => {
  for (const connectorLsn of [null, 90n, 149n]) {
    const { finished, reason } = judgeSnapshot({ ...good, connectorLsn });
    assert.equal(finished, false);
    assert.match(reason, /dropped and created again/);
  }
  assert.equal(judgeSnapshot({ ...good, slot: slotAt(99n) }).finished, false);
});

test('without a finished record that belongs to the slot a snapshot is needed', () => {
  const record = good.record!;
  const cases: [Partial<SnapshotEvidence>, RegExp][] = [
    [{ slot: null }, /no replication slot/],
    [{ record: null }, /no recorded snapshot/],
    [{ record: { ...record, finished: false } }, /did not finish/],
    [{ source: '8/db' }, /another database/],
    [{ slot: { ...good.slot!, walStatus: 'lost' } }, /WAL .* removed/],
  ];
  for (const [change, reason] of cases) {
    const judged = judgeSnapshot({ ...good, ...change });
    assert.equal(judged.finished, false);
    assert.match(judged.reason, reason);
  }
});

test('a table that is not in the snapshot, or whose target is another, is loaded by itself', () => {
  const judge = (table: string, targetUuid: string | null) =>
    judgeSnapshot({ ...good, tables: [...good.tables, { table, targetUuid }].slice(table === 't' ? 1 : 0) });
  assert.deepEqual(judgeSnapshot(good).resync, []);
  for (const [table, uuid, reason] of [
    ['n', 'v', /has not been loaded/],
    ['t', 'other', /created again/],
    ['t', null, /created again/],
  ] as const) {
    const { finished, resync } = judge(table, uuid);
    assert.equal(finished, true);
    assert.deepEqual(
      resync.map((each) => each.table),
      [table],
    );
    assert.match(resync[0]!.reason, reason);
  }
});
