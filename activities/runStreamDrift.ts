import { connectPostgres, readSourceTable } from '../adapters/postgres.ts';
import type { Pipeline, PipelineTable } from '../core/definition.ts';
import { TidegateError } from '../core/errors.ts';
import { mappedColumns } from '../core/typeMapping.ts';
import type { ActivityDeps } from './deps.ts';

/**
 * Compares the columns of a table's target with those that its source has now: a value that the target cannot hold may be
 * one of a type that the source was given meanwhile.
 * @throws TidegateError SCHEMA_DRIFT; SERVICE_UNREACHABLE when the source does not answer.
 */
export async function checkDrift(
  deps: ActivityDeps,
  { pipeline, table }: { pipeline: Pipeline; table: PipelineTable },
): Promise<void> {
  const session = await connectPostgres(deps.environment.url(pipeline.source.captureUrl), {
    applicationName: `tidegate ${pipeline.name}`,
  });
  try {
    const { database } = pipeline;
    const source = await readSourceTable(session, table);
    const existing = await deps.clickhouse.rows<{ name: string; type: string }>(
      'SELECT name, type FROM system.columns WHERE database = {database:String} AND table = {name:String}',
      { params: { database, name: table.target } },
    );
    const types = new Map(existing.map(({ name, type }) => [name, unspaced(type)]));
    const differing = mappedColumns({ table, source })
      .filter(({ column, type }) => types.get(column.name) !== unspaced(type))
      .map(({ column }) => column.name);
    if (differing.length === 0) return;
    throw new TidegateError(
      'SCHEMA_DRIFT',
      `columns of ${table.label} changed at the source: ${differing.join(', ')}`,
      {
        remedy: 'Bring the target up to date with the source; the stream then goes on where it stopped.',
      },
    );
  } finally {
    await session.end();
  }
}

/** ClickHouse may set the blanks within a type otherwise than it was written. */
function unspaced(type: string): string {
  return type.replaceAll(' ', '');
}
