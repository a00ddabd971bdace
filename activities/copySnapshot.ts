import type pg from 'pg';
import { captureUrl } from '../adapters/captureUrl.ts';
import type { FoundPipeline } from '../adapters/definitions.ts';
import { connectPostgres } from '../adapters/postgres.ts';
import { readCatalog } from '../adapters/postgresCatalog.ts';
import { CopySessions, joinSnapshot, lockTables, serverVersion, tableFiles } from '../adapters/postgresCopySessions.ts';
import {
  createExportingSlot,
  currentInsertLsn,
  dropSlot,
  readSlot,
  requireAlive,
  sourceIdentity,
} from '../adapters/replication.ts';
import type { BatchActivities, SnapshotResult } from '../core/activityTypes.ts';
import { attemptName, newToken } from '../core/copyAttempt.ts';
import { CopyTally } from '../core/copyTally.ts';
import type { TargetShape } from '../core/ddl.ts';
import { copyPath } from '../core/ddlCopy.ts';
import { streamTables } from '../core/definition.ts';
import { TidegateError } from '../core/errors.ts';
import { chTable } from '../core/identifiers.ts';
import { formatLsn, type Lsn, versionOf } from '../core/lsn.ts';
import { type Catalog, firstVersion, isSameSchema } from '../core/schemaVersion.ts';
import { isWholeRowKey } from '../core/typeMapping.ts';
import { withHeartbeat } from './copyProgress.ts';
import { type ResetStep, resetStream } from './copySnapshotReset.ts';
import { copyParts, MAX_CONNECTIONS, partsOf, requireRows } from './copyTable.ts';
import { dropLeftovers, runAll } from './copyTarget.ts';
import type { ActivityDeps } from './deps.ts';
import { readHistory, recordSchemas, tablesAside } from './schemaRecord.ts';
import { recordSnapshot, recordSnapshotStart } from './snapshotRecord.ts';

/** Where a test may break the work off, or change the source. */
export type SnapshotStep = ResetStep | 'slot created' | 'copied' | 'checked' | 'recorded';

/**
 * The activity that copies all stream tables under the snapshot of a new slot. Slot, exporting connection and copies are
 * one attempt: whatever breaks, the slot is dropped and the next attempt begins anew, with empty targets.
 */
export function copySnapshot(
  deps: ActivityDeps,
  onStep: (step: SnapshotStep) => Promise<void> = async () => {},
): Pick<BatchActivities, 'copySnapshot'> {
  return {
    async copySnapshot(name): Promise<SnapshotResult> {
      const found = deps.definitions.get(name);
      const started = performance.now();
      const tally = new CopyTally(new Date().toISOString());
      const aside = await tablesAside(deps.clickhouse, found.pipeline);
      for (const { label, history } of streamTables(found.pipeline)) {
        if (aside.has(label)) continue;
        tally.expect(label, { parts: 1, estimatedRows: history ? 0 : -1 });
        // A history begins with the first change after the slot.
        if (history) tally.partDone(label);
      }
      const result = await withHeartbeat(
        () => tally.progress(),
        ({ signal }) => new SnapshotAttempt(deps, { found, tally, signal, onStep }).run(),
      );
      return { ...result, seconds: (performance.now() - started) / 1000 };
    },
  };
}

/** One attempt: everything in it belongs to one slot. */
class SnapshotAttempt {
  readonly #deps: ActivityDeps;
  readonly #found: FoundPipeline;
  readonly #tally: CopyTally;
  readonly #signal: AbortSignal;
  readonly #onStep: (step: SnapshotStep) => Promise<void>;
  readonly #url: URL;
  readonly #applicationName: string;
  readonly #token = newToken();
  readonly #shapes: TargetShape[] = [];
  /** What the shapes were read with, in their order. */
  readonly #catalogs: Catalog[] = [];
  /** Where the slot of this attempt begins; null while it has none. */
  #consistentPoint: Lsn | null = null;

  constructor(
    deps: ActivityDeps,
    options: {
      found: FoundPipeline;
      tally: CopyTally;
      signal: AbortSignal;
      onStep: (step: SnapshotStep) => Promise<void>;
    },
  ) {
    const { pipeline } = options.found;
    this.#deps = deps;
    this.#found = options.found;
    this.#tally = options.tally;
    this.#signal = options.signal;
    this.#onStep = options.onStep;
    this.#url = captureUrl(deps.environment, pipeline);
    this.#applicationName = `tidegate snapshot ${pipeline.stream.slot}`;
  }

  async run(): Promise<Omit<SnapshotResult, 'seconds'>> {
    const { pipeline } = this.#found;
    // In no transaction; a later attempt ends this session, and every step of this one then fails.
    const control = await connectPostgres(this.#url, { applicationName: this.#applicationName });
    try {
      const aside = await tablesAside(this.#deps.clickhouse, pipeline);
      for (const table of streamTables(pipeline).filter(({ label }) => !aside.has(label))) {
        const catalog = await readCatalog(control, table);
        this.#catalogs.push(catalog);
        this.#shapes.push({ database: pipeline.database, table, source: catalog.source });
      }
      await recordSnapshotStart(this.#deps.clickhouse, pipeline);
      const onStep = async (step: SnapshotStep) => {
        await this.#onStep(step);
        this.#signal.throwIfAborted();
        await requireAlive(control);
      };
      await resetStream(this.#deps, {
        ...{ pipeline, session: control, shapes: this.#shapes },
        ...{ applicationName: this.#applicationName, onStep },
      });
      const lsn = await this.#copy(control, onStep);
      return await this.#record(control, lsn);
    } catch (error) {
      await this.#undo();
      throw error;
    } finally {
      await control.end();
    }
  }

  /** @returns the version of the copied rows. */
  async #copy(control: pg.Client, onStep: (step: SnapshotStep) => Promise<void>): Promise<Lsn> {
    const { slot: slotName } = this.#found.pipeline.stream;
    const sources = this.#shapes.map(({ source }) => source);
    const oids = sources.map(({ oid }) => oid);
    const files = await tableFiles(control, oids);
    // Before the slot: a transaction that is open now may be streamed with LSNs below the slot's beginning.
    const lsn = await currentInsertLsn(control);
    const slot = await createExportingSlot({
      ...{ url: this.#url, slot: slotName, applicationName: this.#applicationName, signal: this.#signal },
    });
    try {
      this.#consistentPoint = slot.consistentPoint;
      await onStep('slot created');
      await using sessions = new CopySessions({
        ...{ url: this.#url, applicationName: this.#applicationName, signal: this.#signal },
      });
      const leader = await sessions.open();
      await joinSnapshot(leader, slot.snapshot);
      await lockTables(leader, sources);
      if ((await tableFiles(leader, oids)) !== files) throw this.#rewritten();
      for (const catalog of this.#catalogs) {
        if (!isSameSchema(catalog, await readCatalog(leader, catalog.source))) throw this.#rewritten();
      }
      await this.#copyTables(sessions, { snapshot: slot.snapshot, lsn, onStep });
      return lsn;
    } finally {
      await slot.close();
    }
  }

  async #copyTables(
    sessions: CopySessions,
    options: { snapshot: string; lsn: Lsn; onStep: (step: SnapshotStep) => Promise<void> },
  ): Promise<void> {
    const { clickhouse } = this.#deps;
    const signal = this.#signal;
    const tally = this.#tally;
    const [leader] = sessions.all as [pg.Client];
    const server = await serverVersion(leader);
    const version = versionOf({ lsn: options.lsn, offset: 0n });
    const copied = this.#shapes.filter(({ table }) => table.history === null);
    const plans = copied.map((shape) => {
      const { table, source } = shape;
      // Landing table and view are the attempt's own, see attemptName.
      const named = { ...shape, table: { ...table, target: attemptName(table.target, this.#token) } };
      const path = copyPath(named, { into: table.target, version });
      const parts = partsOf({ table: table.label, source, path, serverVersion: server });
      tally.expect(table.label, { parts: parts.length, estimatedRows: source.estimatedRows });
      return { path, parts, rows: source.estimatedRows };
    });
    for (const { path } of plans) await runAll(clickhouse, path.create, signal);
    // The largest first, so that the sessions end at about the same time.
    const parts = plans.toSorted((a, b) => b.rows - a.rows).flatMap((plan) => plan.parts);
    await sessions.openInSnapshot({ count: Math.min(MAX_CONNECTIONS, parts.length), snapshot: options.snapshot });
    await copyParts({ sessions: sessions.all, clickhouse, parts, tally, signal });
    await options.onStep('copied');

    for (const shape of copied) {
      const { database, table } = shape;
      // Equal rows have become one; each part has been counted on its own.
      if (isWholeRowKey(shape)) continue;
      const target = chTable({ database, name: table.target });
      await requireRows({ clickhouse, target, table: table.label, rows: tally.of(table.label).rows, signal });
    }
    for (const { path } of plans) await runAll(clickhouse, path.drop, signal);
    await options.onStep('checked');
  }

  async #record(control: pg.Client, lsn: Lsn): Promise<Omit<SnapshotResult, 'seconds'>> {
    const { pipeline, hash } = this.#found;
    const tables = this.#shapes.map(({ table }) => ({ ...table, ...this.#tally.of(table.label) }));
    await this.#recordSchemas(lsn);
    await recordSnapshot(this.#deps.clickhouse, pipeline, {
      source: await sourceIdentity(control),
      consistentPoint: this.#consistentPoint as Lsn,
      lsn,
      definitionHash: hash,
      tables: tables.map(({ label, target, rows, bytes }) => ({ table: label, target, rows, bytes })),
    });
    await this.#onStep('recorded');
    return {
      lsn: formatLsn(lsn),
      slot: pipeline.stream.slot,
      tables: tables.map(({ label, rows, bytes }) => ({ table: label, rows, bytes })),
    };
  }

  /** What waited in Kafka of tables that are left aside has been skipped, so they are to be loaded when taken up again. */
  async #recordSchemas(lsn: Lsn): Promise<void> {
    const { clickhouse } = this.#deps;
    const { pipeline } = this.#found;
    const copied = this.#shapes.map(({ table }, index) => ({
      ...{ table: table.label, version: firstVersion(this.#catalogs[index]!), changes: [] },
    }));
    const left = [...(await readHistory(clickhouse, pipeline))].flatMap(([table, versions]) => {
      const last = versions.at(-1);
      return last && last.aside !== null ? [{ table, version: { ...last, rewritten: true }, changes: [] }] : [];
    });
    await recordSchemas(clickhouse, pipeline, { lsn: formatLsn(lsn), tables: [...copied, ...left] });
  }

  /** As far as the services can be reached; what stays is taken away by the next attempt. */
  async #undo(): Promise<void> {
    const { database, stream } = this.#found.pipeline;
    const targets = this.#shapes.map(({ table }) => table.target);
    const drop = dropLeftovers(this.#deps.clickhouse, { database, targets, token: this.#token });
    await Promise.allSettled([drop, this.#dropOwnSlot(stream.slot)]);
  }

  /** Not the slot of a later attempt, which has the same name but begins elsewhere. */
  async #dropOwnSlot(slot: string): Promise<void> {
    if (this.#consistentPoint === null) return;
    const session = await connectPostgres(this.#url, { applicationName: 'tidegate undo' });
    try {
      const found = await readSlot(session, slot);
      if (found?.confirmedFlushLsn === this.#consistentPoint) await dropSlot(session, slot);
    } finally {
      await session.end();
    }
  }

  #rewritten(): TidegateError {
    const what = `a table of '${this.#found.pipeline.name}' was altered, rewritten or truncated while the slot was being created`;
    return new TidegateError('SHORT_LOAD', what, {
      remedy: 'It would seem empty in the snapshot; the attempt is made again with a new slot.',
    });
  }
}
