import type pg from 'pg';
import { moveGroupToEnds, openKafka } from '../adapters/kafka.ts';
import { currentInsertLsn } from '../adapters/replication.ts';
import type { DriftReport, StreamActivities } from '../core/activityTypes.ts';
import { wantedColumns } from '../core/ddl.ts';
import { type Pipeline, type PipelineTable, streamTables } from '../core/definition.ts';
import { TidegateError } from '../core/errors.ts';
import { eraByName } from '../core/historySchema.ts';
import { formatLsn } from '../core/lsn.ts';
import { topicOf } from '../core/names.ts';
import { diffSchema } from '../core/schemaDiff.ts';
import {
  type Catalog,
  type EraColumn,
  eraOf,
  firstVersion,
  isMistakable,
  isRewritten,
  isSameEra,
  isSameSchema,
  knownVersions,
  resolveEra,
  type SchemaVersion,
} from '../core/schemaVersion.ts';
import { alterTarget } from '../core/targetDiff.ts';
import { withHeartbeat } from './copyProgress.ts';
import type { ActivityDeps } from './deps.ts';
import { evolveHistory } from './evolveHistory.ts';
import { applyEvolution, dropForReload, type EvolvedShape, evolvedShape, targetColumns } from './evolveTarget.ts';
import { stopEngine } from './kafkaEngine.ts';
import { waitForConnector, waitUntilInKafka } from './resyncWait.ts';
import { catalogOf, catalogSession } from './schemaDrift.ts';
import { readHistory, recordSchemas, schemaReport } from './schemaRecord.ts';
import { noteTables } from './snapshotRecord.ts';

/** Where a test may break the work off. */
export type EvolveStep = 'altered' | 'recorded';

/** Follows what has changed in the catalog of a pipeline's stream tables, each table for itself. */
export function evolveTables(
  deps: ActivityDeps,
  onStep: (step: EvolveStep) => Promise<void> = async () => undefined,
): Pick<StreamActivities, 'evolveTables'> {
  return {
    async evolveTables(name, reports) {
      const { pipeline } = deps.definitions.get(name);
      return await withHeartbeat(
        () => ({ tables: streamTables(pipeline).length }),
        async ({ signal }) => {
          // ClickHouse may still be reading for a worker that has died.
          await stopEngine(deps, pipeline);
          const session = await catalogSession(deps, pipeline);
          try {
            const history = await readHistory(deps.clickhouse, pipeline);
            for (const table of streamTables(pipeline)) {
              signal.throwIfAborted();
              const versions = history.get(table.label) ?? [];
              const report = reports.find((each) => each.table === table.label) ?? null;
              await new TableEvolution(deps, { pipeline, table, versions, report, session, signal, onStep }).run();
            }
          } finally {
            await session.end();
          }
          return await schemaReport(deps.clickhouse, pipeline);
        },
      );
    },
  };
}

/** How long the connector may take to have sent what was written under the schema before; what comes later is met then. */
const CAPTURE_MS = 30_000;

/** How one table's change ends. */
interface Outcome {
  version: SchemaVersion;
  changes: string[];
}

class TableEvolution {
  readonly #deps: ActivityDeps;
  readonly #pipeline: Pipeline;
  readonly #table: PipelineTable;
  readonly #versions: readonly SchemaVersion[];
  readonly #report: DriftReport | null;
  readonly #session: pg.Client;
  readonly #signal: AbortSignal;
  readonly #onStep: (step: EvolveStep) => Promise<void>;

  constructor(
    deps: ActivityDeps,
    options: {
      pipeline: Pipeline;
      table: PipelineTable;
      /** What is recorded, the oldest first. */
      versions: readonly SchemaVersion[];
      report: DriftReport | null;
      session: pg.Client;
      signal: AbortSignal;
      onStep: (step: EvolveStep) => Promise<void>;
    },
  ) {
    this.#deps = deps;
    this.#pipeline = options.pipeline;
    this.#table = options.table;
    this.#versions = options.versions;
    this.#report = options.report;
    this.#session = options.session;
    this.#signal = options.signal;
    this.#onStep = options.onStep;
  }

  async run(): Promise<void> {
    const last = this.#versions.at(-1);
    if (!last && this.#report) throw unexplained(this.#table, 'nothing is recorded of its schema');
    if (!last) return;
    const lsn = formatLsn(await currentInsertLsn(this.#session));
    const now = await catalogOf(this.#session, this.#table);
    if (now && this.#report === null && isSameSchema(last, now)) return;
    const follow = () => (this.#table.history ? this.#followHistory(last, now!) : this.#follow(last, now!));
    const { version, changes } = now ? await follow() : gone(last, this.#table);
    await this.#onStep('altered');
    const tables = [{ table: this.#table.label, version, changes }];
    await recordSchemas(this.#deps.clickhouse, this.#pipeline, { lsn, tables });
    await this.#onStep('recorded');
  }

  async #follow(last: SchemaVersion, now: Catalog): Promise<Outcome> {
    const era = this.#era(last, now);
    const { changes, reload, alterable } = diffSchema(last, now, { era: era ?? last.era });
    const rewritten = last.rewritten || isRewritten(last, now);
    const catalog: Catalog = { ...now, missing: { ...now.missing, ...last.missing } };
    let reloadReason = reload;
    if (last.rewritten) reloadReason ??= `${this.#table.label} was rewritten while it was left aside`;
    if (era === null) reloadReason ??= `messages hold columns of ${this.#table.label} that nobody can tell apart`;
    try {
      const shape = await evolvedShape(this.#deps.clickhouse, this.#pipeline, {
        ...{ table: this.#table, source: now.source, era: era ?? last.era, missing: catalog.missing },
      });
      const alter = alterable && era !== null ? await this.#alteration(shape) : null;
      if (alter === null) {
        reloadReason ??= `the types of ${this.#table.label} do not follow from those before`;
        await dropForReload(this.#deps.clickhouse, shape);
        await this.#skipMessages();
        return { version: firstVersion(now), changes: [...changes, `${reloadReason}: the table is loaded anew`] };
      }
      await applyEvolution(this.#deps.clickhouse, shape, alter);
      if (reloadReason !== null) {
        await noteTables(this.#deps.clickhouse, this.#pipeline, [{ state: 'stale', table: this.#table.label }]);
        changes.push(`${reloadReason}: the table is loaded anew`);
      }
    } catch (error) {
      const aside = asideReason(error);
      const version = { ...catalog, era: era ?? last.era, aside, rewritten: rewritten || reloadReason !== null };
      return { version, changes: [...changes, `left aside: ${aside}`] };
    }
    const taken = last.aside === null ? [] : ['taken up again'];
    return {
      version: { ...catalog, era: era ?? last.era, aside: null, rewritten: false },
      changes: [...changes, ...taken],
    };
  }

  /** The target keeps all it has, so nothing is ever loaded anew; what cannot be altered is begun anew. */
  async #followHistory(last: SchemaVersion, now: Catalog): Promise<Outcome> {
    const written = this.#era(last, now) ?? eraByName(this.#report!.columns, now, last.era);
    const { changes, reload } = diffSchema(last, now, { era: written, history: true });
    const sameColumns = now.source.oid === last.source.oid && !isMistakable(written, eraOf(now.source));
    const names = written.map(({ name }) => name);
    const era = sameColumns ? written : eraByName(names, now);
    const unknown = era.filter(({ attnum }) => attnum === null);
    const version = { ...now, missing: {}, era, aside: null, rewritten: false };
    try {
      const shape = { table: this.#table, source: now.source, era, missing: {} };
      const kept = await evolveHistory(this.#deps.clickhouse, this.#pipeline, {
        ...{ shape, versions: this.#versions, beginAnew: reload !== null },
      });
      return {
        version,
        changes: [
          ...changes,
          ...unknown.map(({ name }) => `messages have a column ${name} of a time that is not recorded: it is left out`),
          ...(kept === null ? [] : [`${reload ?? 'its types do not follow'}: changes until then are kept in ${kept}`]),
          ...(last.aside === null ? [] : ['taken up again']),
        ],
      };
    } catch (error) {
      const aside = asideReason(error);
      return { version: { ...version, aside }, changes: [...changes, `left aside: ${aside}`] };
    }
  }

  /** What the message at which the stream stopped holds; without one, the messages are those of before. Null: in doubt. */
  #era(last: SchemaVersion, now: Catalog): EraColumn[] | null {
    if (this.#report === null) return [...last.era];
    const era = resolveEra(this.#report.columns, knownVersions(this.#versions, now));
    if (era && isSameEra(era, last.era) && isSameSchema(last, now)) {
      throw unexplained(this.#table, 'its schema is the recorded one');
    }
    return era;
  }

  /** What waits in Kafka does not fit the new target, and the load to come is newer. */
  async #skipMessages(): Promise<void> {
    const pipeline = this.#pipeline;
    const wait = { pipeline, session: this.#session, signal: this.#signal, deadlineMs: CAPTURE_MS };
    // What was sent under the definition before is skipped as well.
    await waitForConnector(this.#deps, wait);
    await waitUntilInKafka(wait);
    const group = pipeline.stream.consumerGroup;
    await moveGroupToEnds(openKafka(this.#deps.environment), { group, topics: [topicOf(pipeline, this.#table)] });
  }

  /** Null when the target cannot be altered, or is not there. */
  async #alteration(shape: EvolvedShape): Promise<string[] | null> {
    const columns = await targetColumns(this.#deps.clickhouse, shape);
    return columns.length === 0 ? null : alterTarget(columns, wantedColumns(shape));
  }
}

function unexplained({ label }: PipelineTable, although: string): TidegateError {
  return new TidegateError('SCHEMA_DRIFT', `changes of ${label} do not fit its target, but ${although}`, {
    remedy: 'Drop the target in ClickHouse and resume: then the tables are loaded anew.',
  });
}

/** The table is no longer there; its target stays as it was. */
function gone(last: SchemaVersion, { label }: PipelineTable): Outcome {
  const aside = `the source has no table ${label} any more. Create it, or take it out of the definition.`;
  const version = { ...last, source: { ...last.source, oid: 0 }, aside, rewritten: true };
  return { version, changes: [`table ${label} was dropped`] };
}

/** What keeps one table from being followed is said of it; all other failures concern the work itself. */
function asideReason(error: unknown): string {
  if (error instanceof TidegateError && (error.code === 'UNSUPPORTED_SOURCE' || error.code === 'SOURCE_NOT_READY')) {
    return `${error.message}. ${error.remedy}`;
  }
  throw error;
}
