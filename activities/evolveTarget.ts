import type { ClickHouse } from '../adapters/clickhouse.ts';
import { currentViewDdl, streamDdl, streamObjects, type TargetShape } from '../core/ddl.ts';
import type { Pipeline } from '../core/definition.ts';
import { chTable } from '../core/identifiers.ts';
import { landingName, landingViewName, truncationsViewName } from '../core/names.ts';
import { attnumOf, isNullable, type TargetColumn } from '../core/targetDiff.ts';
import { dropLeftovers, MEANT } from './copyTarget.ts';

/** A stream table as its target is to be, with what its messages hold. */
export type EvolvedShape = TargetShape & Required<Pick<TargetShape, 'era' | 'missing'>>;

/** The target's columns as they are. */
export async function targetColumns(clickhouse: ClickHouse, { database, table }: TargetShape): Promise<TargetColumn[]> {
  return await clickhouse.columns({ database, name: table.target });
}

/**
 * The shape that the target is given. Messages that have not landed yet may still hold a NULL that the source allows no
 * more, or lack a column that it has now; so a column keeps its Nullable, and one that is added gets it.
 */
export async function evolvedShape(
  clickhouse: ClickHouse,
  { database }: Pipeline,
  shape: Omit<EvolvedShape, 'database'>,
): Promise<EvolvedShape> {
  const strict = new Set(
    (await targetColumns(clickhouse, { ...shape, database })).filter(({ type }) => !isNullable(type)).map(attnumOf),
  );
  const columns = shape.source.columns.map((column) => ({
    ...column,
    notNull: column.notNull && strict.has(column.attnum),
  }));
  return { ...shape, database, source: { ...shape.source, columns } };
}

/**
 * Alters target, landing table and views. Landing table and landing view keep no rows, so they are made anew; the current
 * view is replaced in one step.
 */
export async function applyEvolution(
  clickhouse: ClickHouse,
  shape: EvolvedShape,
  alter: readonly string[],
): Promise<void> {
  const { database, table } = shape;
  const ddl = streamDdl(shape);
  await dropLanding(clickhouse, shape);
  const target = chTable({ database, name: table.target });
  for (const part of alter) await clickhouse.command(`ALTER TABLE ${target} ${part}`, { settings: { alter_sync: 1 } });
  for (const sql of ddl) await clickhouse.command(sql);
  // A history has no current rows.
  if (table.history === null) await clickhouse.command(currentViewDdl(shape, 'CREATE OR REPLACE VIEW'));
}

/**
 * Drops all objects of a table: the snapshot that becomes necessary makes them anew.
 * @throws TidegateError UNSUPPORTED_SOURCE or SOURCE_NOT_READY when they could not be made; then nothing is dropped.
 */
export async function dropForReload(clickhouse: ClickHouse, shape: TargetShape): Promise<void> {
  const { database, table } = shape;
  streamDdl(shape);
  await dropLanding(clickhouse, shape);
  for (const name of streamObjects(table).toReversed()) {
    await clickhouse.command(`DROP TABLE IF EXISTS ${chTable({ database, name })} SYNC`, { settings: MEANT });
  }
}

/** Drops what keeps no rows: the landing table and the views behind it, those of a resync as well. */
export async function dropLanding(clickhouse: ClickHouse, { database, table }: TargetShape): Promise<void> {
  const { target } = table;
  await dropLeftovers(clickhouse, { database, targets: [target] });
  for (const name of [landingViewName(target), truncationsViewName(target), landingName(target)]) {
    await clickhouse.command(`DROP TABLE IF EXISTS ${chTable({ database, name })} SYNC`);
  }
}
