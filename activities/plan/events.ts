import type { ClickHouse } from '../../adapters/clickhouse.ts';
import { eventColumns, eventDdl } from '../../core/ddlEvents.ts';
import type { PipelineEvent } from '../../core/definitionEvents.ts';
import { chIdentifier, chLiteral, chTable } from '../../core/identifiers.ts';
import { landingName, landingViewName } from '../../core/names.ts';
import type { PlannedStep } from '../../core/plan.ts';

export interface EventPlan {
  clickhouse: ClickHouse;
  database: string;
  event: PipelineEvent;
  /** Comments of what exists in the database, by name. */
  comments: ReadonlyMap<string, string>;
  /** The comment of a view with this SQL. */
  fingerprint: (sql: string) => string;
}

/**
 * Plans the ClickHouse objects of an event topic. A definition may gain columns: those that are optional are added to the
 * target, and from then on filled.
 */
export async function planEvent(plan: EventPlan): Promise<PlannedStep[]> {
  const { clickhouse, database, event, comments, fingerprint } = plan;
  const { target, landing, view, select, current } = eventDdl(plan);
  const step = (
    kind: 'table' | 'view',
    name: string,
    statements: string[],
    exists = comments.has(name),
  ): PlannedStep => {
    const detail = exists ? (statements.length > 0 ? 'its definition has changed' : 'exists') : '';
    const action = statements.length === 0 ? 'none' : exists ? 'change' : 'create';
    const apply = async () => {
      for (const sql of statements) await clickhouse.command(sql);
    };
    return {
      ...{ system: 'clickhouse', object: `${kind} ${database}.${name}`, action, detail },
      ...(action !== 'none' && { apply }),
    };
  };
  const viewName = landingViewName(event.target);
  const mark = fingerprint(select);
  const quotedView = chTable({ database, name: viewName });
  // Replacing the view would lose what lands in between; this takes effect at once.
  const modify = [`ALTER TABLE ${quotedView} MODIFY QUERY ${select}`];
  modify.push(`ALTER TABLE ${quotedView} MODIFY COMMENT ${chLiteral(mark)}`);
  const viewStatements = !comments.has(viewName)
    ? [`${view} AS ${select} COMMENT ${chLiteral(mark)}`]
    : comments.get(viewName) === mark
      ? []
      : modify;
  const currentMark = fingerprint(current);
  const currentSql =
    comments.get(event.currentView) === currentMark ? [] : [`${current} COMMENT ${chLiteral(currentMark)}`];
  const landingTable = landingName(event.target);
  return [
    comments.has(event.target) ? await existingTarget(plan, step) : step('table', event.target, [target]),
    step('table', landingTable, comments.has(landingTable) ? [] : [landing]),
    step('view', viewName, viewStatements),
    step('view', event.currentView, currentSql),
  ];
}

async function existingTarget(
  { clickhouse, database, event }: EventPlan,
  step: (kind: 'table', name: string, statements: string[]) => PlannedStep,
): Promise<PlannedStep> {
  const params = { database, name: event.target };
  const existing = await clickhouse.columns(params);
  const [{ key = '' } = {}] = await clickhouse.rows<{ key: string }>(
    'SELECT sorting_key AS key FROM system.tables WHERE database = {database:String} AND name = {name:String}',
    { params },
  );
  const types = new Map(existing.map(({ name, type }) => [name, unspaced(type)]));
  const differing = eventColumns(event).filter(
    ({ name, type }) => (types.get(name) ?? unspaced(type)) !== unspaced(type),
  );
  const added = eventColumns(event).filter(({ name }) => !types.has(name));
  const required = added.filter(({ name }) => !event.columns.find((column) => column.name === name)?.optional);
  const bare = (text: string) => text.replaceAll(/[`()]/g, '');
  const wantedKey = event.key.join(', ');
  const problems = [
    ...differing.map(({ name, type }) => `column ${name} is ${types.get(name)} there and ${type} in the definition`),
    ...required.map(({ name }) => `column ${name} is new, so its rows of before have no value: make it optional`),
    ...(bare(key) === bare(wantedKey) ? [] : [`it is ordered by ${bare(key)}, not by ${wantedKey}`]),
  ];
  if (problems.length > 0) {
    const detail = `${problems.join('; ')}. Give events.${event.label} another target, or drop this one`;
    return { system: 'clickhouse', object: `table ${database}.${event.target}`, action: 'blocked', detail };
  }
  const table = chTable({ database, name: event.target });
  return step(
    'table',
    event.target,
    added.map(({ name, type }) => `ALTER TABLE ${table} ADD COLUMN IF NOT EXISTS ${chIdentifier(name)} ${type}`),
  );
}

/** ClickHouse may set the blanks within a type otherwise than it was written. */
function unspaced(type: string): string {
  return type.replaceAll(' ', '');
}
