import type { ClickHouse } from '../adapters/clickhouse.ts';
import { streamDdl, type TargetShape, wantedColumns } from '../core/ddl.ts';
import type { Pipeline } from '../core/definition.ts';
import { alterHistory, withDropped } from '../core/historySchema.ts';
import { chTable } from '../core/identifiers.ts';
import { freeName } from '../core/names.ts';
import { eraOf, type SchemaVersion } from '../core/schemaVersion.ts';
import { keyNames } from '../core/typeMapping.ts';
import { MEANT, runAll } from './copyTarget.ts';
import { applyEvolution, dropLanding, type EvolvedShape, evolvedShape, targetColumns } from './evolveTarget.ts';

/**
 * Brings the objects of a history to what the source and its messages are now. No row of it is lost: a target that cannot
 * be altered is given another name.
 * @param options.beginAnew the target is not to be altered, whatever it is like.
 * @returns the name that the target was given; null when it goes on, or had nothing to keep.
 * @throws TidegateError UNSUPPORTED_SOURCE or SOURCE_NOT_READY; then nothing is changed.
 */
export async function evolveHistory(
  clickhouse: ClickHouse,
  pipeline: Pipeline,
  options: {
    shape: Omit<TargetShape, 'database'>;
    /** What is recorded of the table, the oldest first. */
    versions: readonly SchemaVersion[];
    beginAnew?: boolean;
  },
): Promise<string | null> {
  const { database } = pipeline;
  const { shape, versions, beginAnew = false } = options;
  const { table, source, era = eraOf(source), missing = {} } = shape;
  const whole: EvolvedShape = { database, table, source: withDropped(source, versions), era, missing };
  streamDdl(whole);
  const actual = await targetColumns(clickhouse, whole);
  if (actual.length > 0) {
    const evolved = await evolvedShape(clickhouse, pipeline, whole);
    const alter = beginAnew ? null : alterHistory(actual, wantedColumns(evolved));
    if (alter !== null) {
      await applyEvolution(clickhouse, evolved, alter);
      return null;
    }
  }
  await dropLanding(clickhouse, whole);
  const kept = actual.length > 0 ? await setTargetAside(clickhouse, whole) : null;
  await runAll(clickhouse, streamDdl(forOlderMessages(whole)));
  return kept;
}

/** Messages that have not landed yet may lack a column, or hold a NULL that the source allows no more. */
function forOlderMessages(shape: EvolvedShape): EvolvedShape {
  const keys = keyNames(shape);
  const columns = shape.source.columns.map((column) => ({
    ...column,
    notNull: column.notNull && keys.includes(column.name),
  }));
  return { ...shape, source: { ...shape.source, columns } };
}

async function setTargetAside(clickhouse: ClickHouse, { database, table }: EvolvedShape): Promise<string | null> {
  const target = chTable({ database, name: table.target });
  const [counted] = await clickhouse.rows<{ rows: string }>(`SELECT count() AS rows FROM ${target}`);
  if (counted!.rows === '0') {
    await clickhouse.command(`DROP TABLE IF EXISTS ${target} SYNC`, { settings: MEANT });
    return null;
  }
  const kept = freeName(`${table.target}_until`, await clickhouse.tableNames(database));
  await clickhouse.command(`RENAME TABLE ${target} TO ${chTable({ database, name: kept })}`);
  return kept;
}
