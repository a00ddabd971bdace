import { type OutboxField, outboxColumns, type PipelineOutbox } from './definitionOutbox.ts';
import { pgIdentifier, pgLiteral, pgTable } from './identifiers.ts';

/** The SQL of an outbox. All values arrive as text, so that none loses a digit on its way. */

/**
 * A batch's messages must fit into what a broker takes at once (1 MiB by default), as all of them may be of one partition.
 * Each takes so many bytes beside its key and value, at most.
 */
const BATCH_BYTES = 900_000;
const MESSAGE_BYTES = 100;

/** A row as it is sent. */
export interface OutboxRow {
  id: string;
  key: string;
  value: string;
}

/** The next rows to send, in order: at least one, if there is one, and otherwise as many as fit into a batch. */
export function nextRowsSql(outbox: PipelineOutbox): string {
  // Unqualified, ORDER BY would mean the text that is selected under the column's name.
  const id = `o.${pgIdentifier(outbox.id)}`;
  return (
    'SELECT id, key, value FROM (SELECT *, ' +
    `sum(octet_length(value) + octet_length(key) + ${MESSAGE_BYTES}) OVER (ORDER BY position) AS bytes FROM (` +
    `SELECT ${id}::text AS id, ${pgIdentifier(outbox.partitionBy)}::text AS key, ${messageSql(outbox)}::text AS value, ` +
    `row_number() OVER (ORDER BY ${id}) AS position FROM ${pgTable(outbox)} AS o WHERE NOT ${pgIdentifier(outbox.sent)} ` +
    `ORDER BY ${id} LIMIT ${outbox.batch}) AS next) AS measured ` +
    `WHERE position = 1 OR bytes <= ${BATCH_BYTES} ORDER BY position`
  );
}

/** The type of the column of ids, for markSql: {type}. */
export function idTypeSql(outbox: PipelineOutbox): string {
  return (
    'SELECT format_type(atttypid, atttypmod) AS type FROM pg_attribute ' +
    `WHERE attrelid = to_regclass(${pgLiteral(pgTable(outbox))}) AND attname = ${pgLiteral(outbox.id)}`
  );
}

/** Counts the rows that wait up to an id, or all of them: {waiting, last}, with the last one's id. */
export function waitingSql(outbox: PipelineOutbox, upto: { id: string; type: string } | null): string {
  const id = `o.${pgIdentifier(outbox.id)}`;
  const bound = upto === null ? '' : ` AND ${id} <= ${pgLiteral(upto.id)}::${upto.type}`;
  const waiting = `${pgTable(outbox)} AS o WHERE NOT ${pgIdentifier(outbox.sent)}${bound}`;
  return `SELECT (SELECT count(*) FROM ${waiting})::text AS waiting, (SELECT ${id}::text FROM ${waiting} ORDER BY ${id} DESC LIMIT 1) AS last`;
}

/** Marks rows. $1: their ids as text[]. @param type the column's type as PostgreSQL writes it. */
export function markSql(outbox: PipelineOutbox, type: string): string {
  const sent = pgIdentifier(outbox.sent);
  return (
    `UPDATE ${pgTable(outbox)} SET ${sent} = true ` +
    `WHERE ${pgIdentifier(outbox.id)} = ANY($1::text[]::${type}[]) AND NOT ${sent}`
  );
}

/** {sent, unsent} */
export function countSql(outbox: PipelineOutbox): string {
  const sent = pgIdentifier(outbox.sent);
  return (
    `SELECT count(*) FILTER (WHERE ${sent})::text AS sent, count(*) FILTER (WHERE NOT ${sent})::text AS unsent ` +
    `FROM ${pgTable(outbox)}`
  );
}

/** Takes the outbox for this session, which only one may hold: {taken}. */
export function takeSql(outbox: PipelineOutbox): string {
  return `SELECT pg_try_advisory_lock(hashtextextended(${pgLiteral(`tidegate outbox ${pgTable(outbox)}`)}, 0)) AS taken`;
}

/** The message of a row, of type json. */
export function messageSql({ fields }: PipelineOutbox): string {
  return `json_build_object(${fields.map((field) => `${pgLiteral(field.name)}, ${fieldSql(field)}`).join(', ')})`;
}

function fieldSql({ column, epoch }: OutboxField): string {
  const name = pgIdentifier(column);
  if (epoch === null) return name;
  const count = `extract(epoch FROM ${name})${epoch === 'milliseconds' ? ' * 1000' : ''}`;
  // Infinity counts nothing; as NULL it becomes a dead letter, unless the event's column is optional.
  return `CASE WHEN isfinite(${name}) THEN floor(${count})::bigint END`;
}

/** The SQL that lets a role relay and do nothing else. */
export function grantSql(outbox: PipelineOutbox, role: string): string {
  const to = `TO ${pgIdentifier(role)};`;
  const columns = outboxColumns(outbox).map(pgIdentifier).join(', ');
  return (
    `GRANT USAGE ON SCHEMA ${pgIdentifier(outbox.schema)} ${to} ` +
    `GRANT SELECT (${columns}), UPDATE (${pgIdentifier(outbox.sent)}) ON ${pgTable(outbox)} ${to}`
  );
}

/** The SQL of the index by which unsent rows are found among all others. */
export function indexSql(outbox: PipelineOutbox): string {
  const rows = `(${pgIdentifier(outbox.id)}) WHERE NOT ${pgIdentifier(outbox.sent)}`;
  return `CREATE INDEX CONCURRENTLY ON ${pgTable(outbox)} ${rows};`;
}
