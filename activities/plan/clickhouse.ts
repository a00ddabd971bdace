import { createHash } from 'node:crypto';
import type { ClickHouse } from '../../adapters/clickhouse.ts';
import type { FoundPipeline } from '../../adapters/definitions.ts';
import { currentViewDdl, referenceDdl, streamDdl, streamObjects } from '../../core/ddl.ts';
import { deadLettersDdl } from '../../core/deadLetters.ts';
import { chIdentifier, chLiteral, chTable } from '../../core/identifiers.ts';
import { streamLanes } from '../../core/lanes.ts';
import { DEAD_LETTERS_TABLE } from '../../core/names.ts';
import type { PlannedStep } from '../../core/plan.ts';
import { readSql } from '../readSql.ts';
import { planEvent } from './events.ts';
import { martSteps } from './marts.ts';
import type { SourcePlan } from './source.ts';

/** Plans database, targets, landing tables and views. Tables that exist are left alone; a view whose SQL changed is replaced. */
export async function planClickHouse(
  clickhouse: ClickHouse,
  found: FoundPipeline,
  source: SourcePlan,
): Promise<PlannedStep[]> {
  const { pipeline } = found;
  const { database } = pipeline;
  const existing = await clickhouse.tables(database);
  const comments = new Map(existing.map(({ name, comment }) => [name, comment]));
  const [databaseExists] = await clickhouse.rows('SELECT 1 FROM system.databases WHERE name = {database:String}', {
    params: { database },
  });
  const step = (object: string, exists: boolean, sql: string, replaced = false): PlannedStep => ({
    system: 'clickhouse',
    object,
    action: exists ? (replaced ? 'change' : 'none') : 'create',
    detail: exists ? (replaced ? 'its SQL has changed' : 'exists') : '',
    ...(exists && !replaced ? {} : { apply: () => clickhouse.command(sql) }),
  });
  // A view's comment is the fingerprint of its SQL.
  const fingerprintOf = (sql: string) => `tidegate ${createHash('sha256').update(sql).digest('hex').slice(0, 16)}`;
  const viewStep = (name: string, create: string): PlannedStep => {
    const fingerprint = fingerprintOf(create);
    const exists = comments.has(name);
    const sql = `${create} COMMENT ${chLiteral(fingerprint)}`;
    const planned = step(`view ${database}.${name}`, exists, sql, comments.get(name) !== fingerprint);
    // The SQL of a pipeline's view names its tables without a database: they are those of the pipeline.
    if (planned.apply) planned.apply = () => clickhouse.command(sql, { settings: { database } });
    return planned;
  };

  const steps = [
    step(`database ${database}`, Boolean(databaseExists), `CREATE DATABASE IF NOT EXISTS ${chIdentifier(database)}`),
  ];
  if (streamLanes(pipeline).length > 0) {
    const object = `table ${database}.${DEAD_LETTERS_TABLE}`;
    steps.push(step(object, comments.has(DEAD_LETTERS_TABLE), deadLettersDdl(database)));
  }
  for (const { table, source: sourceTable } of source.tables) {
    const shape = { database, table, source: sourceTable };
    const stream = table.load === 'stream';
    const names = stream ? streamObjects(table) : [table.target];
    const statements = stream ? streamDdl(shape) : referenceDdl(shape);
    for (const [index, sql] of statements.entries()) {
      const name = names[index] as string;
      if (name === table.currentView) steps.push(viewStep(name, currentViewDdl(shape, 'CREATE OR REPLACE VIEW')));
      else steps.push(step(`table ${database}.${name}`, comments.has(name), sql));
    }
  }
  for (const event of pipeline.events) {
    steps.push(...(await planEvent({ clickhouse, database, event, comments, fingerprint: fingerprintOf })));
  }
  // Before the views, which may read them.
  steps.push(...(await martSteps(clickhouse, found, comments)));
  for (const view of pipeline.views) {
    const select = await readSql(found, view.file);
    steps.push(viewStep(view.name, `CREATE OR REPLACE VIEW ${chTable({ database, name: view.name })} AS ${select}`));
  }
  return steps;
}
