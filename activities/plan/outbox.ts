import type { Client } from 'pg';
import type { Environment } from '../../adapters/environment.ts';
import { connectPostgres } from '../../adapters/postgres.ts';
import type { Pipeline } from '../../core/definition.ts';
import { outboxColumns, type PipelineOutbox } from '../../core/definitionOutbox.ts';
import { pgIdentifier, pgTable } from '../../core/identifiers.ts';
import { grantSql, indexSql } from '../../core/outboxSql.ts';
import type { PlanAction, PlannedStep } from '../../core/plan.ts';

interface OutboxColumn {
  name: string;
  type: string;
  notNull: boolean;
}

/** What the catalog and the role's rights say of an outbox. */
interface OutboxState {
  role: string;
  columns: OutboxColumn[];
  mayUseSchema: boolean;
  /** Names of columns that the role may not read. */
  unreadable: string[];
  mayMark: boolean;
  /** True when a unique index says that no two rows have the same id. */
  unique: boolean;
  /** True when an index leads from the unsent rows' ids to them. */
  indexed: boolean;
}

/** Checks an outbox through the role that relays it. Changes nothing, now or later: what is missing, its owner mends. */
export async function planOutbox(
  environment: Environment,
  { pipeline, outbox }: { pipeline: Pipeline; outbox: PipelineOutbox },
): Promise<PlannedStep[]> {
  const client = await connectPostgres(environment.url(outbox.url), { applicationName: 'tidegate plan' });
  const step = (action: PlanAction, detail: string): PlannedStep => ({
    ...{ system: 'postgres', object: `outbox ${outbox.label}`, action, detail },
  });
  try {
    const state = await readState(client, outbox);
    if (!state) return [step('blocked', 'the source has no such table. Create it, or correct its name')];
    const problem = problemOf(outbox, state);
    if (problem) return [step('blocked', problem)];
    const warnings = state.indexed
      ? []
      : [`no index finds the unsent rows, so each look reads the whole table. As its owner run: ${indexSql(outbox)}`];
    const nullable = nullableFields({ pipeline, outbox, state });
    if (nullable.length > 0)
      warnings.push(
        `a row with NULL in ${nullable.join(', ')} becomes a dead letter: make the event's column optional`,
      );
    const sent = `relayed by ${state.role} to topic ${outbox.topic}`;
    return [step('none', sent), ...warnings.map((warning) => step('warn', warning))];
  } finally {
    await client.end();
  }
}

function problemOf(outbox: PipelineOutbox, state: OutboxState): string | null {
  const { columns, role } = state;
  const table = pgTable(outbox);
  const missing = outboxColumns(outbox).filter((name) => !columns.some((column) => column.name === name));
  if (missing.length > 0) return `it has no column ${missing.join(', ')}. Correct the definition`;
  if (!state.mayUseSchema || state.unreadable.length > 0 || !state.mayMark)
    return `role ${role} may not read and mark its rows. As its owner run: ${grantSql(outbox, role)}`;
  const find = (name: string) => columns.find((column) => column.name === name)!;
  const sent = find(outbox.sent);
  if (sent.type !== 'boolean') return `column ${sent.name} is of type ${sent.type}, not boolean`;
  const alter = (name: string) => `ALTER TABLE ${table} ALTER COLUMN ${pgIdentifier(name)} SET NOT NULL;`;
  if (!sent.notNull) {
    const mark = `UPDATE ${table} SET ${pgIdentifier(sent.name)} = false WHERE ${pgIdentifier(sent.name)} IS NULL;`;
    return `column ${sent.name} may be NULL, and such rows would never be sent. As its owner run: ${mark} ${alter(sent.name)}`;
  }
  const loose = [outbox.id, outbox.partitionBy].find((name) => !find(name).notNull);
  if (loose !== undefined) return `column ${loose} may be NULL. As its owner run: ${alter(loose)}`;
  if (!state.unique)
    return `no unique index tells its rows apart by ${outbox.id}. As its owner run: ALTER TABLE ${table} ADD UNIQUE (${pgIdentifier(outbox.id)});`;
  const timeless = outbox.fields.find(({ column, epoch }) => epoch && !/^(date|timestamp)/.test(find(column).type));
  if (timeless) return `column ${timeless.column} is of type ${find(timeless.column).type}, which has no epoch`;
  return null;
}

/** Columns that may be NULL while the event's may not. */
function nullableFields(about: { pipeline: Pipeline; outbox: PipelineOutbox; state: OutboxState }): string[] {
  const { pipeline, outbox, state } = about;
  const event = pipeline.events.find(({ label }) => label === outbox.event)!;
  const required = event.columns.filter(({ optional }) => !optional).map(({ from }) => from);
  const sources = outbox.fields.filter(({ name }) => required.includes(name)).map(({ column }) => column);
  return [...new Set(sources)].filter((name) => !state.columns.find((column) => column.name === name)!.notNull);
}

const STATE_SQL = `
  SELECT c.oid::text AS oid, current_user AS role, has_schema_privilege(c.relnamespace, 'USAGE') AS "mayUseSchema"
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p')`;

const COLUMNS_SQL = `
  SELECT attname AS name, format_type(atttypid, atttypmod) AS type, attnotnull AS "notNull",
    has_column_privilege(attrelid, attnum, 'SELECT') AS readable,
    has_column_privilege(attrelid, attnum, 'UPDATE') AS writable
  FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped AND attname = ANY($2)`;

/** $2: the id's name. $3: the ways in which PostgreSQL writes the condition of unsent rows. */
const INDEXES_SQL = `
  SELECT coalesce(bool_or(i.indisunique AND i.indnkeyatts = 1 AND i.indpred IS NULL), false) AS unique,
    coalesce(bool_or(pg_get_expr(i.indpred, i.indrelid) = ANY($3)), false) AS indexed
  FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
  WHERE i.indrelid = $1 AND i.indisvalid AND a.attname = $2`;

async function readState(client: Client, outbox: PipelineOutbox): Promise<OutboxState | null> {
  const { rows: tables } = await client.query<{ oid: string; role: string; mayUseSchema: boolean }>(STATE_SQL, [
    ...[outbox.schema, outbox.name],
  ]);
  const [table] = tables;
  if (!table) return null;
  const { rows: columns } = await client.query<OutboxColumn & { readable: boolean; writable: boolean }>(COLUMNS_SQL, [
    ...[table.oid, outboxColumns(outbox)],
  ]);
  const sent = await quoted(client, outbox.sent);
  const { rows: indexes } = await client.query<{ unique: boolean; indexed: boolean }>(INDEXES_SQL, [
    ...[table.oid, outbox.id, [`(NOT ${sent})`, `(${sent} = false)`]],
  ]);
  return {
    ...{ role: table.role, mayUseSchema: table.mayUseSchema, columns, ...indexes[0]! },
    unreadable: columns.filter(({ readable }) => !readable).map(({ name }) => name),
    mayMark: columns.some(({ name, writable }) => name === outbox.sent && writable),
  };
}

/** A name as the server itself writes it: in quotes only where it must. */
async function quoted(client: Client, name: string): Promise<string> {
  return (await client.query<{ name: string }>('SELECT quote_ident($1) AS name', [name])).rows[0]!.name;
}
