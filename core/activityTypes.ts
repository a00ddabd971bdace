import type { MergeActivities } from './mergeTypes.ts';

/**
 * What workflows and activities say to each other. Names, counts and offsets only: rows never pass through Temporal.
 * Everything is JSON, so 64-bit numbers that may exceed 2^53 (LSNs) are strings as PostgreSQL writes them.
 */

/** Result of prepareStream. */
export interface StreamPreparation {
  /** SHA-256 of the definition that the activity resolved, for the record. */
  definitionHash: string;
  /** True when there is no slot, or no finished snapshot that belongs to it. */
  snapshotNeeded: boolean;
  /** Why, for a person reading the Web UI. */
  reason: string;
  /** Stream tables that have to be loaded by themselves, since they were added or rewritten; none when all have to be. */
  resync: { table: string; reason: string }[];
  tables: string[];
  /** Tables whose schema has changed since it was recorded: they are to be evolved before anything else. */
  drifted: string[];
  schema: SchemaReport;
}

/** What the stream says of the message at which it stopped, because it does not fit its landing table. */
export interface DriftReport {
  table: string;
  /** Names of the columns that the message has. */
  columns: string[];
}

/** Detail of OFFSET_LOST: events that Kafka no longer has are gone, while changes can be loaded anew from their source. */
export interface LossReport {
  kind: 'events';
}

/** What is recorded of the source's schema, for people. */
export interface SchemaReport {
  /** The last changes that were followed, the newest first. */
  changes: { table: string; change: string; at: string }[];
  /** Tables that are not streamed until their schema can be followed again, and why. */
  aside: { table: string; reason: string }[];
}

export type CopyPhase = 'waiting' | 'copying' | 'done';

/** Heartbeat of copySnapshot and of copyReference (one table). */
export interface CopyProgress {
  tables: { table: string; phase: CopyPhase; rows: number; bytes: number; estimatedRows: number }[];
  startedAt: string;
}

/** Result of copySnapshot. */
export interface SnapshotResult {
  /** The LSN that the rows carry as their version, read before the slot was created. */
  lsn: string;
  slot: string;
  tables: { table: string; rows: number; bytes: number }[];
  seconds: number;
}

/** Heartbeat of resyncTable. */
export interface ResyncProgress extends CopyProgress {
  /** What is being done, a few words. */
  step: string;
}

/** Result of resyncTable. */
export interface ResyncResult {
  table: string;
  /** The LSN that the rows carry as their version, read before they were copied. */
  lsn: string;
  rows: number;
  bytes: number;
  seconds: number;
}

/** Result of copyReference. */
export interface ReferenceResult {
  table: string;
  rows: number;
  bytes: number;
  seconds: number;
}

/** Heartbeat of runStream. */
export interface StreamProgress {
  tables: Record<
    string,
    {
      /** Messages landed since the activity began. */
      messages: number;
      /** Messages a second over the last ten seconds. */
      rate: number;
      /** Source commit time of the last message landed, or when an event was sent, epoch milliseconds; null before the first. */
      lastCommitMs: number | null;
      /** When it landed minus its source commit time, in milliseconds. */
      lagMs: number | null;
      lastLsn: string | null;
      /** Messages set aside as dead letters since the activity began. */
      deadLetters: number;
    }
  >;
  /** Committed offsets, that is of the next message to land, by `topic:partition`. */
  offsets: Record<string, string>;
  /** What is wrong at the moment and being tried again, one sentence; null when nothing is. */
  problem: string | null;
  startedAt: string;
}

/** Heartbeat of watchConnector. */
export interface ConnectorHealth {
  connector: string;
  /** What Kafka Connect says; UNREACHABLE while it does not answer. */
  state: string;
  tasks: { id: number; state: string; trace: string | null }[];
  restarts: number;
  /** What is wrong at the moment and being tried again, one sentence; null when nothing is. */
  problem: string | null;
  slot: {
    name: string;
    active: boolean;
    walStatus: string;
    retainedBytes: number;
    confirmedFlushLsn: string | null;
  } | null;
  checkedAt: string;
}

/** Heartbeat of runRelay. */
export interface RelayProgress {
  outboxes: Record<
    string,
    {
      /** Rows sent and marked since the activity began. */
      relayed: number;
      /** Rows a second over the last ten seconds. */
      rate: number;
      /** Marked and unmarked rows of the outbox; null until they have been counted. */
      rows: { sent: number; unsent: number } | null;
      lastSentAt: string | null;
      /** What is wrong at the moment and being tried again, one sentence; null when nothing is. */
      problem: string | null;
    }
  >;
  startedAt: string;
}

export type RelayPhase = 'relaying' | 'paused' | 'backing off' | 'failed';

/** Answer of the relay's query `status`. Heartbeat details are added by whoever asks, from describe. */
export interface RelayStatus {
  pipeline: string;
  phase: RelayPhase;
  /** Since when, ISO 8601. */
  since: string;
  /** One sentence for a person. */
  reason: string;
  lastError: { code: string; message: string; at: string } | null;
  /** When the next attempt is made; only while backing off. */
  retryAt: string | null;
  attempts: number;
}

/** One table of a verify report. */
export interface TableVerification {
  table: string;
  /** `history`: its changes stand in no source to be compared with, so it is asked whether all of them have landed. */
  load: 'stream' | 'reference' | 'events' | 'history';
  /** Why the table was not compared, for it is left aside; null when it was. */
  notCompared: string | null;
  /**
   * Null when it was not compared, for a history, and for events that no table of the source has: of those only the ids
   * are checked.
   */
  sourceRows: number | null;
  targetRows: number | null;
  /** Of a history: every change up to the LSN has landed, and none is set aside. False also when it was not compared. */
  equal: boolean;
  /** Up to 20 keys, as JSON text of the key's values in key order, with what is wrong. */
  differences: { key: string; kind: 'missing' | 'extra' | 'different' }[];
  /** Keys whose row changed at every reading, so that they were not judged. */
  unsettled: number;
  /** How many keys were repaired, and up to 20 of them with what was wrong. */
  repaired: { keys: number; shown: TableVerification['differences'] };
  /** Messages for the table that could not be loaded and have not been replayed: they may explain a difference. */
  deadLetters: number;
  seconds: number;
}

/** Heartbeat of verifyTables. */
export interface VerifyProgress {
  /** The table that is being compared; null while the stream is waited for. */
  comparing: string | null;
  /** Rows of it that were read at the source; keys that differed and are read again. */
  rows: number;
  estimatedRows: number;
  keys: number;
  /** The tables that are done, and the LSN that the target had reached at the beginning. */
  tables: TableVerification[];
  lsn: string | null;
  startedAt: string;
  /** Where another attempt takes up the reading of the source. */
  scan: VerifyScan | null;
}

/** How far a table has been read at the source, in parts that follow each other. */
export interface VerifyScan {
  token: string;
  /** What the catalog said of the table when it was begun. */
  catalog: string;
  startLsn: string;
  /** Pages of a part; null: the table is read as one. */
  pagesPerPart: number | null;
  parts: number;
  done: number;
}

export interface VerifyReport {
  pipeline: string;
  /** The source LSN that the target had reached when it was compared; without tables, the time up to which events had landed. */
  lsn: string;
  ok: boolean;
  tables: TableVerification[];
  seconds: number;
}

/** Activities on the task queue `stream`. */
export interface StreamActivities {
  /**
   * Resolves the definition, checks the source, creates or confirms publication, topics and ClickHouse objects, and
   * says whether a snapshot is needed. Idempotent.
   * @param skipLost an operator wants event topics to be gone on with behind the events that Kafka no longer has.
   */
  prepareStream(pipeline: string, skipLost?: boolean): Promise<StreamPreparation>;
  /**
   * Compares the catalog of each stream table with the recorded one, and alters target, landing table and views, so that
   * the stream goes on at the same offset. The stream must not run meanwhile. Done again, it goes on where it broke off.
   * @param reports of the messages at which the stream stopped.
   */
  evolveTables(pipeline: string, reports: DriftReport[]): Promise<SchemaReport>;
  /**
   * Moves messages from Kafka into the landing tables until it is cancelled; then lands what it holds, commits and
   * returns. Heartbeats StreamProgress. Fails with an ApplicationFailure whose type is an ErrorCode;
   * SCHEMA_DRIFT has a DriftReport as its detail.
   * @param aside labels of tables whose messages stay in Kafka; told by whoever starts it, for ClickHouse may be away.
   */
  runStream(pipeline: string, aside?: readonly string[]): Promise<StreamProgress>;
  /**
   * Creates the connector when it is missing, brings its configuration up to date, restarts failed tasks, watches the
   * slot; until cancelled. Heartbeats ConnectorHealth. Fails with SCHEMA_DRIFT when the source's schema has changed.
   */
  watchConnector(pipeline: string): Promise<ConnectorHealth>;
  /**
   * Sends the rows of a pipeline's outboxes to their topics, in order, and marks each after the brokers have acknowledged
   * it; until it is cancelled. Heartbeats RelayProgress. What passes by itself is tried again and told in the heartbeat.
   */
  runRelay(pipeline: string): Promise<RelayProgress>;
}

/** Activities on the task queue `batch`. */
export interface BatchActivities extends MergeActivities {
  /** One attempt: drops slot, connector offsets and half-loaded rows of an earlier one, then copies. Heartbeats CopyProgress. */
  copySnapshot(pipeline: string): Promise<SnapshotResult>;
  /** Loads one stream table anew while all streams go on, and swaps it in. Heartbeats ResyncProgress. */
  resyncTable(pipeline: string, table: string): Promise<ResyncResult>;
  /** Loads one reference table whole and swaps it in. Heartbeats CopyProgress. */
  copyReference(pipeline: string, table: string): Promise<ReferenceResult>;
  /**
   * Waits until the target has reached the source's LSN, then compares every table. Heartbeats VerifyProgress, by which
   * another attempt goes on.
   * @param options.repair true: stream tables are given the source's rows where they differ.
   */
  verifyTables(pipeline: string, options?: { repair: boolean }): Promise<VerifyReport>;
}

/** Answer of the supervisor's updates that take a changed definition over. */
export interface Reconfigured {
  /** Of the workers' definition; null when it is taken over later, since the stream does not flow at the moment. */
  definitionHash: string | null;
  streamed: string[];
}

/** A resync that is wanted, runs, or has failed. */
export interface ResyncStatus {
  table: string;
  /** Grows with each one that is asked for. */
  ticket: number;
  state: 'waiting' | 'running' | 'failed';
  /** One sentence for a person: why it is made, or why it failed. */
  reason: string;
  /** Since when it is in this state, ISO 8601. */
  since: string;
}

/** A resync that has ended well. */
export interface ResyncDone extends ResyncResult {
  ticket: number;
  /** When, ISO 8601. */
  at: string;
}

export type SupervisorPhase =
  | 'preparing'
  | 'snapshotting'
  | 'evolving'
  | 'streaming'
  | 'paused'
  | 'backing off'
  | 'failed';

/** Answer of the supervisor's query `status`. Heartbeat details are added by whoever asks, from describe. */
export interface SupervisorStatus {
  pipeline: string;
  phase: SupervisorPhase;
  /** Since when, ISO 8601. */
  since: string;
  /** One sentence for a person. */
  reason: string;
  lastError: { code: string; message: string; at: string } | null;
  /** When the next attempt is made; only while backing off. */
  retryAt: string | null;
  attempts: number;
  definitionHash: string | null;
  snapshot: SnapshotResult | null;
  schema: SchemaReport;
  /** Labels of the stream tables, as they were prepared last. */
  streamed: string[];
  resyncs: ResyncStatus[];
  /** The last resync of each table that has had one. */
  resynced: ResyncDone[];
}
