import type pg from 'pg';
import { captureUrl } from '../adapters/captureUrl.ts';
import { connectPostgres } from '../adapters/postgres.ts';
import { readCatalog } from '../adapters/postgresCatalog.ts';
import { type Pipeline, type PipelineTable, streamTables } from '../core/definition.ts';
import { TidegateError } from '../core/errors.ts';
import { type Catalog, couldHold, firstVersion, isSameSchema, knownVersions } from '../core/schemaVersion.ts';
import type { ActivityDeps } from './deps.ts';
import { type FollowedSchema, readHistory, recordFiles } from './schemaRecord.ts';

/** A query of the catalog may wait for an ALTER TABLE that holds the table for long: then it is asked again later. */
const LOCK_TIMEOUT_MS = 2000;

/** A session of the capture role for reading the catalog. The caller ends it. */
export async function catalogSession(deps: Pick<ActivityDeps, 'environment'>, pipeline: Pipeline): Promise<pg.Client> {
  const url = captureUrl(deps.environment, pipeline);
  const session = await connectPostgres(url, { applicationName: `tidegate schema ${pipeline.name}` });
  await session.query(`SET lock_timeout = ${LOCK_TIMEOUT_MS}`);
  return session;
}

/** The catalog of a table; null when the source has no such table. */
export async function catalogOf(session: pg.Client, table: PipelineTable): Promise<Catalog | null> {
  try {
    return await readCatalog(session, table);
  } catch (error) {
    if (error instanceof TidegateError && error.code === 'SOURCE_NOT_READY') return null;
    throw error;
  }
}

/** How the histories of tables' schemas begin, of those tables that the source has. */
export async function firstSchemas(session: pg.Client, tables: readonly PipelineTable[]): Promise<FollowedSchema[]> {
  const found: FollowedSchema[] = [];
  for (const table of tables) {
    const catalog = await catalogOf(session, table);
    if (catalog !== null) found.push({ table: table.label, version: firstVersion(catalog), changes: [] });
  }
  return found;
}

/**
 * Labels of the stream tables whose catalog is no longer the recorded one. A table without a record has none yet: its
 * snapshot writes the first. New files alone are noted, so that they say nothing about a later change.
 */
export async function driftedTables(deps: ActivityDeps, pipeline: Pipeline, session: pg.Client): Promise<string[]> {
  const history = await readHistory(deps.clickhouse, pipeline);
  const drifted: string[] = [];
  for (const table of streamTables(pipeline)) {
    const last = history.get(table.label)?.at(-1);
    if (!last) continue;
    const now = await catalogOf(session, table);
    if (now === null ? last.source.oid !== 0 : !isSameSchema(last, now)) drifted.push(table.label);
    else if (now !== null && now.files !== last.files) {
      await recordFiles(deps.clickhouse, pipeline, { table: table.label, files: now.files });
    }
  }
  return drifted;
}

/** As driftedTables, with a session of its own, which is opened only when there is something to compare with. */
export async function findDrift(deps: ActivityDeps, pipeline: Pipeline): Promise<string[]> {
  if ((await readHistory(deps.clickhouse, pipeline)).size === 0) return [];
  const session = await catalogSession(deps, pipeline);
  try {
    return await driftedTables(deps, pipeline, session);
  } finally {
    await session.end();
  }
}

/** @throws TidegateError SCHEMA_DRIFT naming the tables whose schema is no longer the recorded one. */
export async function requireNoDrift(deps: ActivityDeps, pipeline: Pipeline): Promise<void> {
  const drifted = await findDrift(deps, pipeline);
  if (drifted.length > 0) throw driftOf(drifted);
}

/** False when the table can never have had these columns. A table without a record, or that is gone, may have had any. */
export async function mayHaveHeld(
  deps: ActivityDeps,
  pipeline: Pipeline,
  { table, columns }: { table: PipelineTable; columns: readonly string[] },
): Promise<boolean> {
  const recorded = (await readHistory(deps.clickhouse, pipeline)).get(table.label);
  if (!recorded) return true;
  const session = await catalogSession(deps, pipeline);
  try {
    const now = await catalogOf(session, table);
    return now === null || couldHold(columns, knownVersions(recorded, now));
  } finally {
    await session.end();
  }
}

export function driftOf(tables: readonly string[]): TidegateError {
  return new TidegateError('SCHEMA_DRIFT', `the source's schema has changed: ${tables.join(', ')}`, {
    remedy: 'The targets are brought up to date with it; the stream then goes on where it stopped.',
  });
}
