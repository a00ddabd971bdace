import { isDeepStrictEqual } from 'node:util';
import type pg from 'pg';
import { captureUrl } from '../adapters/captureUrl.ts';
import { readSourceTable } from '../adapters/postgres.ts';
import { beginExportedSnapshot, CopySessions, serverVersion } from '../adapters/postgresCopySessions.ts';
import type { BatchActivities, ReferenceResult } from '../core/activityTypes.ts';
import { attemptName, newToken } from '../core/copyAttempt.ts';
import { CopyTally } from '../core/copyTally.ts';
import { referenceDdl, stagingDdl, type TargetShape } from '../core/ddl.ts';
import { copyPath } from '../core/ddlCopy.ts';
import { findTable, type Pipeline, type PipelineTable } from '../core/definition.ts';
import { TidegateError } from '../core/errors.ts';
import { chIdentifier, chTable } from '../core/identifiers.ts';
import { withHeartbeat } from './copyProgress.ts';
import { copyParts, MAX_CONNECTIONS, partsOf, requireRows } from './copyTable.ts';
import { dropLeftovers, runAll } from './copyTarget.ts';
import type { ActivityDeps } from './deps.ts';

/** Where a test may break the work off. */
export type ReferenceStep = 'staged' | 'copied' | 'checked' | 'swapped';

/** What one attempt works on. */
interface Attempt {
  shape: TargetShape;
  staging: string;
  tally: CopyTally;
  signal: AbortSignal;
}

/**
 * The activity that loads a reference table whole. Every attempt reads the source anew into a staging table of its own
 * and swaps it in by one EXCHANGE, so there is nothing for a retry to take up, and nothing to decide: whenever an attempt
 * dies, the target is either the load before or the complete new one, and the next attempt drops what is left over.
 */
export function copyReference(
  deps: ActivityDeps,
  onStep: (step: ReferenceStep) => Promise<void> = async () => {},
): Pick<BatchActivities, 'copyReference'> {
  const { clickhouse, environment, definitions } = deps;

  async function load(pipeline: Pipeline, table: PipelineTable, options: { tally: CopyTally; signal: AbortSignal }) {
    const { database } = pipeline;
    await using sessions = new CopySessions({
      url: captureUrl(environment, pipeline),
      applicationName: `tidegate ${pipeline.name} ${table.label}`,
      signal: options.signal,
    });
    const source = await readSourceTable(await sessions.open(), table);
    const shape = { database, table, source };
    await clickhouse.command(`CREATE DATABASE IF NOT EXISTS ${chIdentifier(database)}`);
    await runAll(clickhouse, referenceDdl(shape));
    await dropLeftovers(clickhouse, { database, targets: [table.target] });
    const token = newToken();
    const clean = () => dropLeftovers(clickhouse, { database, targets: [table.target], token });
    const attempt = { shape, staging: attemptName(table.target, token), ...options };
    try {
      await fill(attempt, sessions);
      await swap(attempt);
    } catch (error) {
      // What failed is the news; what cannot be dropped now is dropped by the next attempt.
      await clean().catch(() => {});
      throw error;
    }
    await clean();
  }

  /** Copies the source into the staging table and makes sure that it holds all of it. */
  async function fill({ shape, staging, tally, signal }: Attempt, sessions: CopySessions): Promise<void> {
    const { database, source, table } = shape;
    const [leader] = sessions.all as [pg.Client];
    await clickhouse.command(stagingDdl(shape, staging));
    // Landing table and view are named after the staging table, so that they too are the attempt's own.
    const path = copyPath({ ...shape, table: { ...table, target: staging } }, { into: staging, version: null });
    await runAll(clickhouse, path.create);
    await onStep('staged');

    const parts = partsOf({ table: table.label, source, path, serverVersion: await serverVersion(leader) });
    tally.expect(table.label, { parts: parts.length, estimatedRows: source.estimatedRows });
    const snapshot = await beginExportedSnapshot(leader, [source]);
    // Now that it is locked, the table must still be the one that the staging table was made for.
    if (!isDeepStrictEqual((await readSourceTable(leader, source)).columns, source.columns)) throw altered(table);
    await sessions.openInSnapshot({ count: Math.min(MAX_CONNECTIONS, parts.length), snapshot });
    await copyParts({ sessions: sessions.all, clickhouse, parts, tally, signal });
    await onStep('copied');

    const target = chTable({ database, name: staging });
    await requireRows({ clickhouse, target, table: table.label, rows: tally.of(table.label).rows, signal });
    await runAll(clickhouse, path.drop, signal);
    await onStep('checked');
  }

  /** From here on the staging name holds the load before, until it is dropped. */
  async function swap({ shape: { database, table }, staging, signal }: Attempt): Promise<void> {
    signal.throwIfAborted();
    const names = [staging, table.target].map((name) => chTable({ database, name }));
    await clickhouse.command(`EXCHANGE TABLES ${names.join(' AND ')}`);
    await onStep('swapped');
  }

  return {
    async copyReference(pipelineName, written): Promise<ReferenceResult> {
      const { pipeline } = definitions.get(pipelineName);
      const table = findTable(pipeline, written);
      if (table.load !== 'reference') {
        throw new TidegateError('UNKNOWN_TABLE', `${table.label} of pipeline '${pipeline.name}' is a stream table`, {
          remedy: 'It is kept in step by the stream; only reference tables are loaded.',
        });
      }
      const started = performance.now();
      const tally = new CopyTally(new Date().toISOString());
      tally.expect(table.label, { parts: 1, estimatedRows: -1 });
      await withHeartbeat(
        () => tally.progress(),
        ({ signal }) => load(pipeline, table, { tally, signal }),
      );
      return { table: table.label, ...tally.of(table.label), seconds: (performance.now() - started) / 1000 };
    },
  };
}

function altered({ label }: PipelineTable): TidegateError {
  return new TidegateError('SHORT_LOAD', `${label} was altered while its load began`, {
    remedy: 'Nothing was taken over; the load is made again.',
  });
}
