import { formatLsn, type Lsn } from './lsn.ts';

/** What was written down about the last attempt to copy a pipeline's stream tables. */
export interface SnapshotRecord {
  /** Cluster and database that were copied. */
  source: string;
  /** False when the attempt began and was not seen to end. */
  finished: boolean;
  /** Where the slot of the attempt began. */
  consistentPoint: Lsn;
  /** The copied tables, and the UUID of the ClickHouse table that each was copied into. */
  tables: readonly { table: string; targetUuid: string }[];
}

/** Everything that tells whether the slot continues where the recorded copy ended. */
export interface SnapshotEvidence {
  slot: { name: string; confirmedFlushLsn: Lsn; walStatus: string } | null;
  record: SnapshotRecord | null;
  source: string;
  /** The stream tables of the pipeline as it is now; a null UUID stands for a missing target. */
  tables: readonly { table: string; targetUuid: string | null }[];
  /** Up to where the connector has stored its progress; null: it has stored none, undefined: not known. */
  connectorLsn: Lsn | null | undefined;
}

/** How slot, snapshot and targets stand to each other. */
export interface SnapshotJudgement {
  /** The stream may go on from the slot. */
  finished: boolean;
  /** Why (not), for a person. */
  reason: string;
  /** Tables that lack what the slot has passed already, so that each has to be loaded; why, as the rest of a sentence. */
  resync: { table: string; reason: string }[];
}

/**
 * Whether slot and snapshot belong together, so that the stream may go on from the slot. A slot has no identity of its
 * own in PostgreSQL, so one that was dropped and created again is known by its position: PostgreSQL confirms to a slot
 * only what the connector has stored before, hence a slot that stands beyond the connector's stored position (or, when
 * there is none, anywhere but at its beginning) began later, and the changes in between are in no snapshot.
 */
export function judgeSnapshot(evidence: SnapshotEvidence): SnapshotJudgement {
  const { slot, record, source, tables, connectorLsn } = evidence;
  const needed = (reason: string) => ({ finished: false, reason, resync: [] });
  if (!slot) return needed('there is no replication slot yet');
  if (!record) return needed(`slot '${slot.name}' has no recorded snapshot`);
  if (!record.finished) return needed(`the snapshot of slot '${slot.name}' began but did not finish`);
  if (record.source !== source) return needed('the snapshot was taken of another database');
  if (slot.walStatus === 'lost') return needed(`the WAL that slot '${slot.name}' needs has been removed`);
  const { confirmedFlushLsn } = slot;
  const { consistentPoint } = record;
  const beyond = (lsn: Lsn) => confirmedFlushLsn > lsn;
  const stored = connectorLsn === undefined || (connectorLsn !== null && !beyond(connectorLsn));
  if (confirmedFlushLsn < consistentPoint || (beyond(consistentPoint) && !stored)) {
    return needed(`slot '${slot.name}' was dropped and created again after the snapshot`);
  }
  const resync = tables.flatMap(({ table, targetUuid }) => {
    const copied = record.tables.find((each) => each.table === table);
    if (!copied) return [{ table, reason: 'it has not been loaded since it was added, or rewritten' }];
    if (copied.targetUuid === targetUuid) return [];
    return [{ table, reason: 'its target was created again' }];
  });
  return {
    finished: true,
    reason: `the snapshot at ${formatLsn(consistentPoint)} is finished, and the slot goes on from it`,
    resync,
  };
}
