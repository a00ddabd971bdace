import type { ClickHouse } from '../../adapters/clickhouse.ts';
import type { FoundPipeline } from '../../adapters/definitions.ts';
import type { PipelineMart } from '../../core/definitionMarts.ts';
import { TidegateError } from '../../core/errors.ts';
import { martDdl, periodsDdl } from '../../core/marts.ts';
import { PERIODS_TABLE } from '../../core/names.ts';
import type { PlannedStep } from '../../core/plan.ts';
import { readSql } from '../readSql.ts';

/** Plans the marts and the table of their merged periods. A mart's columns are read from its SELECT when it is created. */
export async function martSteps(
  clickhouse: ClickHouse,
  found: FoundPipeline,
  existing: { has(name: string): boolean },
): Promise<PlannedStep[]> {
  const { database, marts } = found.pipeline;
  if (marts.length === 0) return [];
  const step = (name: string, apply: () => Promise<void>): PlannedStep => {
    const object = `table ${database}.${name}`;
    if (existing.has(name)) return { system: 'clickhouse', object, action: 'none', detail: 'exists' };
    return { system: 'clickhouse', object, action: 'create', detail: '', apply };
  };
  return [
    step(PERIODS_TABLE, () => clickhouse.command(periodsDdl(database))),
    ...marts.map((mart) => step(mart.name, () => createMart(clickhouse, found, mart))),
  ];
}

async function createMart(clickhouse: ClickHouse, found: FoundPipeline, mart: PipelineMart): Promise<void> {
  const { database } = found.pipeline;
  const columns = await clickhouse.rows<{ name: string; type: string }>(
    `DESCRIBE (${await readSql(found, mart.file)})`,
    { params: { from: '2000-01-01', to: '2000-01-02' }, settings: { database } },
  );
  const wrong = (what: string) =>
    new TidegateError('INVALID_DEFINITION', `mart '${mart.name}' of pipeline '${found.pipeline.name}': ${what}`, {
      remedy: `Correct ${mart.file} or the definition.`,
    });
  const lacking = mart.key.find((name) => !columns.some((column) => column.name === name));
  if (lacking !== undefined) throw wrong(`its SELECT has no column '${lacking}'`);
  const period = columns.find(({ name }) => name === mart.period)!;
  if (period.type !== 'Date') throw wrong(`column '${mart.period}' is ${period.type}; the period must be a Date`);
  await clickhouse.command(martDdl({ database, mart }, columns));
}
