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

test('without a finished record of these tables and targets a snapshot is needed', () => {
  const record = good.record!;
  const cases: [Partial<SnapshotEvidence>, RegExp][] = [
    [{ slot: null }, /no replication slot/],
    [{ record: null }, /no recorded snapshot/],
    [{ record: { ...record, finished: false } }, /did not finish/],
    [{ source: '8/db' }, /another database/],
    [{ slot: { ...good.slot!, walStatus: 'lost' } }, /WAL .* removed/],
    [{ tables: [...good.tables, { table: 'n', targetUuid: 'v' }] }, /table n is not in the snapshot/],
    [{ tables: [{ table: 't', targetUuid: 'other' }] }, /created again/],
    [{ tables: [{ table: 't', targetUuid: null }] }, /created again/],
  ];
  for (const [change, reason] of cases) {
    const judged = judgeSnapshot({ ...good, ...change });
    assert.equal(judged.finished, false);
    assert.match(judged.reason, reason);
  }
});
