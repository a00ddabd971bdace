import { Context } from '@temporalio/activity';
import type pg from 'pg';
import { captureUrl } from '../adapters/captureUrl.ts';
import { connectPostgres } from '../adapters/postgres.ts';
import { readCatalog } from '../adapters/postgresCatalog.ts';
import { beginExportedSnapshot, CopySessions, serverVersion } from '../adapters/postgresCopySessions.ts';
import { currentInsertLsn, endSessions, requireAlive, waitForOlderTransactions } from '../adapters/replication.ts';
import type { BatchActivities, ResyncProgress, ResyncResult } from '../core/activityTypes.ts';
import { attemptName, lateName, newToken } from '../core/copyAttempt.ts';
import { CopyTally } from '../core/copyTally.ts';
import { copyPath } from '../core/ddlCopy.ts';
import { addLate, lateStatements, type ResyncObjects, stagingStatements } from '../core/ddlResync.ts';
import { findReplica, type Pipeline, type PipelineTable } from '../core/definition.ts';
import { TidegateError } from '../core/errors.ts';
import { chTable } from '../core/identifiers.ts';
import { formatLsn, type Lsn, versionOf } from '../core/lsn.ts';
import { landingViewName } from '../core/names.ts';
import { type Catalog, isSameSchema } from '../core/schemaVersion.ts';
import { withHeartbeat } from './copyProgress.ts';
import { copyParts, MAX_CONNECTIONS, partsOf } from './copyTable.ts';
import { dropLeftovers, runAll } from './copyTarget.ts';
import type { ActivityDeps } from './deps.ts';
import { waitForConnector, waitUntilCommitted, waitUntilLanded } from './resyncWait.ts';
import { readHistory } from './schemaRecord.ts';
import { noteTables, swapOf, targetUuids } from './snapshotRecord.ts';

/** Where a test may break the work off, or change the source. */
export type ResyncStep =
  | 'staged'
  | 'snapshot taken'
  | 'copied'
  | 'landed'
  | 'noted'
  | 'swapped'
  | 'completed'
  | 'recorded';

type OnStep = (step: ResyncStep) => Promise<void>;

/**
 * The activity that loads one stream table anew, while its stream and the others go on. A staging table is filled from two
 * sides: by a second view with all that lands from now on, and by a copy under a snapshot that is taken after that; the
 * versions decide. It takes the target's place in one step, once it has all that the target has.
 */
export function resyncTable(deps: ActivityDeps, onStep: OnStep = async () => {}): Pick<BatchActivities, 'resyncTable'> {
  return {
    async resyncTable(name, written): Promise<ResyncResult> {
      const { pipeline } = deps.definitions.get(name);
      const table = findReplica(pipeline, written);
      const started = performance.now();
      const tally = new CopyTally(new Date().toISOString());
      tally.expect(table.label, { parts: 1, estimatedRows: -1 });
      const state = { step: 'beginning' };
      const { runId } = Context.current().info.workflowExecution!;
      const { lsn, rows, bytes } = await withHeartbeat(
        (): ResyncProgress => ({ ...tally.progress(), step: state.step }),
        ({ signal }) => new ResyncAttempt(deps, { pipeline, table, runId, tally, signal, state, onStep }).run(),
      );
      const seconds = (performance.now() - started) / 1000;
      return { table: table.label, lsn: formatLsn(lsn), rows, bytes, seconds };
    },
  };
}

interface AttemptOptions {
  pipeline: Pipeline;
  table: PipelineTable;
  /** The workflow run whose attempt this is: only what an earlier attempt of it has noted is taken up. */
  runId: string;
  tally: CopyTally;
  signal: AbortSignal;
  /** What is being done, for people. */
  state: { step: string };
  onStep: OnStep;
}

/** What was copied. */
interface Copied {
  lsn: Lsn;
  rows: number;
  bytes: number;
}

class ResyncAttempt {
  readonly #deps: ActivityDeps;
  readonly #options: AttemptOptions;
  readonly #database: string;
  readonly #target: string;

  constructor(deps: ActivityDeps, options: AttemptOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#database = options.pipeline.database;
    this.#target = options.table.target;
  }

  async run(): Promise<Copied> {
    const { pipeline, table, signal } = this.#options;
    const url = captureUrl(this.#deps.environment, pipeline);
    const applicationName = `tidegate resync ${pipeline.stream.slot} ${table.label}`;
    const control = await connectPostgres(url, { applicationName });
    try {
      await endSessions(control, applicationName);
      const done = await this.#swappedBefore();
      if (done) return await this.#complete(control, { ...done, staging: await this.#stagingLeft() });
      await this.#drop();
      await using sessions = new CopySessions({ url, applicationName, signal });
      const objects = await this.#prepare(control);
      const copied = await this.#fill(control, { sessions, objects });
      await this.#swap(control, { objects, copied });
      return await this.#complete(control, { ...copied, staging: objects.staging });
    } catch (error) {
      // What has been swapped is completed by the next attempt, which finds what was late by its name.
      if (!(await this.#swappedBefore().catch(() => true))) await this.#drop().catch(() => undefined);
      throw error;
    } finally {
      await control.end();
    }
  }

  /** Lets what lands reach the staging table as well. */
  async #prepare(control: pg.Client): Promise<ResyncObjects & { catalog: Catalog }> {
    const { clickhouse } = this.#deps;
    const { pipeline, table, signal } = this.#options;
    await noteTables(clickhouse, pipeline, [this.#note('resyncing')]);
    await this.#at('waiting for the connector to capture the table', () =>
      waitForConnector(this.#deps, { pipeline, signal }),
    );
    // Before the LSN: what is truncated or rewritten after it is found by other files.
    const catalog = await readCatalog(control, table);
    const recorded = (await readHistory(clickhouse, pipeline)).get(table.label)?.at(-1);
    if (recorded && !isSameSchema(recorded, catalog)) throw this.#altered();
    const lsn = await currentInsertLsn(control);
    const staging = attemptName(this.#target, newToken());
    const view = { database: this.#database, name: landingViewName(this.#target) };
    const [landing] = await clickhouse.rows<{ select: string }>(
      'SELECT as_select AS select FROM system.tables WHERE database = {database:String} AND name = {name:String}',
      { params: view },
    );
    if (!landing) throw this.#altered();
    const objects = { database: this.#database, target: this.#target, staging, select: landing.select, lsn, catalog };
    await runAll(clickhouse, stagingStatements(objects), signal);
    await this.#step('staged', control);
    return objects;
  }

  /** Copies the table as it is at one moment after everything that is older than the staging table's view has ended. */
  async #fill(
    control: pg.Client,
    { sessions, objects }: { sessions: CopySessions; objects: ResyncObjects & { catalog: Catalog } },
  ): Promise<Copied> {
    const { clickhouse } = this.#deps;
    const { table, tally, signal } = this.#options;
    const { staging, lsn, catalog, database } = objects;
    const { source } = catalog;
    await this.#at('waiting for transactions that are open at the source', () =>
      waitForOlderTransactions(control, signal),
    );
    const leader = await sessions.open();
    const snapshot = await beginExportedSnapshot(leader, [source]);
    const now = await readCatalog(leader, table);
    if (now.files !== catalog.files || !isSameSchema(catalog, now)) throw this.#altered();
    await this.#step('snapshot taken', control);

    const named = { database, source, table: { ...table, target: staging } };
    const path = copyPath(named, { into: staging, version: versionOf({ lsn, offset: 0n }) });
    const parts = partsOf({ table: table.label, source, path, serverVersion: await serverVersion(leader) });
    tally.expect(table.label, { parts: parts.length, estimatedRows: source.estimatedRows });
    await runAll(clickhouse, path.create, signal);
    await sessions.openInSnapshot({ count: Math.min(MAX_CONNECTIONS, parts.length), snapshot });
    await this.#at('copying', () => copyParts({ sessions: sessions.all, clickhouse, parts, tally, signal }));
    await runAll(clickhouse, path.drop, signal);
    await this.#step('copied', control);
    return { lsn, ...tally.of(table.label) };
  }

  /** Readers would see values of before the copy come and go, so the stream first reaches what has been copied. */
  async #swap(control: pg.Client, { objects, copied }: { objects: ResyncObjects; copied: Copied }): Promise<void> {
    const { clickhouse } = this.#deps;
    const { pipeline, table, signal } = this.#options;
    const { staging } = objects;
    await this.#at('waiting for the stream to reach the copy', () =>
      waitUntilLanded(this.#deps, { pipeline, table, session: control, signal }),
    );
    await this.#step('landed', control);
    await runAll(clickhouse, lateStatements(objects), signal);
    const targetUuid = (await targetUuids(clickhouse, pipeline)).get(staging);
    if (targetUuid === undefined) throw this.#altered();
    await noteTables(clickhouse, pipeline, [this.#note('swapping', { ...copied, targetUuid })]);
    await this.#step('noted', control);
    const names = [staging, this.#target].map((name) => chTable({ database: this.#database, name }));
    await clickhouse.command(`EXCHANGE TABLES ${names.join(' AND ')}`);
    await this.#step('swapped', control);
  }

  /** Adds what was late, and takes the rows of before away. Done again, it changes nothing more. */
  async #complete(control: pg.Client, { staging, ...copied }: Copied & { staging: string | null }): Promise<Copied> {
    const { clickhouse } = this.#deps;
    const { pipeline, table, signal } = this.#options;
    if (staging !== null) {
      await this.#at('waiting for the stream to be past the swap', () =>
        waitUntilCommitted(this.#deps, { pipeline, table, session: control, signal }),
      );
      await clickhouse.command(addLate({ database: this.#database, target: this.#target, staging }), { signal });
      await this.#step('completed', control);
    }
    const targetUuid = (await targetUuids(clickhouse, pipeline)).get(this.#target) ?? '';
    await noteTables(clickhouse, pipeline, [this.#note('resynced', { ...copied, targetUuid })]);
    await this.#step('recorded', control);
    await this.#drop();
    return copied;
  }

  /** What an earlier attempt of this run has copied, if its table is the target now. */
  async #swappedBefore(): Promise<Copied | null> {
    const { pipeline, table, runId } = this.#options;
    const swap = await swapOf(this.#deps.clickhouse, pipeline, { table: table.label, run: runId });
    if (!swap) return null;
    const uuid = (await targetUuids(this.#deps.clickhouse, pipeline)).get(this.#target);
    return uuid === swap.targetUuid ? swap : null;
  }

  /** The staging name of the attempt that swapped; null when it has dropped what was late, so that nothing is. */
  async #stagingLeft(): Promise<string | null> {
    const names = await this.#deps.clickhouse.tableNames(this.#database);
    const [begin, end] = [attemptName(this.#target, ''), lateName('')];
    return names.find((name) => name.startsWith(begin) && name.endsWith(end))?.slice(0, -end.length) ?? null;
  }

  async #drop(): Promise<void> {
    await dropLeftovers(this.#deps.clickhouse, { database: this.#database, targets: [this.#target] });
  }

  #note<S extends 'resyncing' | 'swapping' | 'resynced'>(
    state: S,
    more: Partial<Copied & { targetUuid: string }> = {},
  ) {
    return { state, table: this.#options.table.label, run: this.#options.runId, ...more };
  }

  async #at<T>(step: string, work: () => Promise<T>): Promise<T> {
    this.#options.state.step = step;
    return await work();
  }

  /** A later attempt ends this one's session, and every further step of this one then fails. */
  async #step(step: ResyncStep, control: pg.Client): Promise<void> {
    await this.#options.onStep(step);
    this.#options.signal.throwIfAborted();
    await requireAlive(control);
  }

  #altered(): TidegateError {
    const what = `${this.#options.table.label} was altered, rewritten or truncated while it was being loaded`;
    return new TidegateError('SHORT_LOAD', what, { remedy: 'Nothing was taken over; the copy is made again.' });
  }
}
