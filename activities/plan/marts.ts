import type { ClickHouse } from '../../adapters/clickhouse.ts';
import type { FoundPipeline } from '../../adapters/definitions.ts';
import { attemptName, newToken } from '../../core/copyAttempt.ts';
import type { KeyedMart } from '../../core/definitionKeyedMarts.ts';
import type { PipelineMart } from '../../core/definitionMarts.ts';
import { TidegateError } from '../../core/errors.ts';
import { chIdentifier, chTable } from '../../core/identifiers.ts';
import { keyedMartDdl, keysDdl, keysOfInput, mergesDdl } from '../../core/keyedMarts.ts';
import { martDdl, periodsDdl } from '../../core/marts.ts';
import { keyedRowsName, MERGES_TABLE, PERIODS_TABLE } from '../../core/names.ts';
import type { PlannedStep } from '../../core/plan.ts';
import { readSql } from '../readSql.ts';

/** Plans the marts and the table of their merged periods. A mart's columns are read from its SELECT when it is created. */
export async function martSteps(
  clickhouse: ClickHouse,
  found: FoundPipeline,
  existing: { has(name: string): boolean },
): Promise<PlannedStep[]> {
  const { database, marts, keyedMarts } = found.pipeline;
  const step = (name: string, apply: () => Promise<void>): PlannedStep => {
    const object = `table ${database}.${name}`;
    if (existing.has(name)) return { system: 'clickhouse', object, action: 'none', detail: 'exists' };
    return { system: 'clickhouse', object, action: 'create', detail: '', apply };
  };
  const records = [
    ...(marts.length > 0 ? [step(PERIODS_TABLE, () => clickhouse.command(periodsDdl(database)))] : []),
    ...(keyedMarts.length > 0 ? [step(MERGES_TABLE, () => clickhouse.command(mergesDdl(database)))] : []),
  ];
  return [
    ...records,
    ...marts.map((mart) => step(mart.name, () => createMart(clickhouse, found, mart))),
    ...keyedMarts.map((mart) => step(keyedRowsName(mart.name), () => createKeyedMart(clickhouse, found, mart))),
  ];
}

async function createMart(clickhouse: ClickHouse, found: FoundPipeline, mart: PipelineMart): Promise<void> {
  const { database } = found.pipeline;
  const columns = await clickhouse.rows<{ name: string; type: string }>(
    `DESCRIBE (${await readSql(found, mart.file)})`,
    { params: { from: '2000-01-01', to: '2000-01-02' }, settings: { database } },
  );
  const wrong = refusal(found, mart);
  const lacking = mart.key.find((name) => !columns.some((column) => column.name === name));
  if (lacking !== undefined) throw wrong(`its SELECT has no column '${lacking}'`);
  const period = columns.find(({ name }) => name === mart.period)!;
  if (period.type !== 'Date') throw wrong(`column '${mart.period}' is ${period.type}; the period must be a Date`);
  await clickhouse.command(martDdl({ database, mart }, columns));
}

/** What a definition of a mart is refused with. */
function refusal({ pipeline }: FoundPipeline, mart: { name: string; file: string }): (what: string) => TidegateError {
  return (what) =>
    new TidegateError('INVALID_DEFINITION', `mart '${mart.name}' of pipeline '${pipeline.name}': ${what}`, {
      remedy: `Correct ${mart.file} or the definition.`,
    });
}

/** The SELECT is asked for its columns beside an empty table of keys, whose types are those that the inputs give. */
async function createKeyedMart(clickhouse: ClickHouse, found: FoundPipeline, mart: KeyedMart): Promise<void> {
  const { pipeline } = found;
  const { database } = pipeline;
  const wrong = refusal(found, mart);
  const describe = (select: string, params = {}) =>
    clickhouse.rows<{ name: string; type: string }>(`DESCRIBE (${select})`, { params, settings: { database } });
  const keys = await describe(keysOfInput(pipeline, mart, mart.inputs.find(({ wholeKey }) => wholeKey)!));
  const name = attemptName(mart.name, newToken());
  const table = chTable({ database, name });
  await clickhouse.command(keysDdl(table, keys, 'plain'));
  try {
    const columns = await describe(await readSql(found, mart.file), { keys: name });
    const named = [...mart.orderBy, ...mart.inputs.flatMap((input) => input.columns.map(({ column }) => column))];
    const lacking = named.find((each) => !columns.some((column) => column.name === each));
    if (lacking !== undefined) throw wrong(`its SELECT has no column '${lacking}'`);
    const nullable = columns.find((column) => mart.key.includes(column.name) && column.type.includes('Nullable('));
    if (nullable)
      throw wrong(`column ${chIdentifier(nullable.name)} of its key is ${nullable.type}; a key is never NULL`);
    const ddl = keyedMartDdl({ database, mart }, columns);
    await clickhouse.command(ddl.table);
    await clickhouse.command(ddl.view);
  } finally {
    await clickhouse.command(`DROP TABLE IF EXISTS ${table}`);
  }
}
