import { readFileSync } from 'node:fs';

/**
 * pagila 3.1.0, a schema that nobody here designed: domains, an enum, arrays, tsvector, partitions, triggers, functions,
 * views, and two tables without a key. The files named pagila-* are its own; its licence stands beside them.
 */
const read = (file: string) => readFileSync(new URL(file, import.meta.url), 'utf8');

/** Creates pagila's tables in an empty database, with some of its rows; whoever runs it owns them. */
export function pagilaSql(): string {
  const schema = [read('pagila-schema.sql'), read('pagila-schema-jsonb.sql')].join('\n');
  const ours = schema.replaceAll(/^ALTER .* OWNER TO postgres;$/gm, '');
  return `${ours}\n${read('pagila-rows.sql')}\nSET search_path TO public; RESET client_min_messages; RESET row_security`;
}

/** Inserts, updates and deletes rows in every table, some by cascade, some from one partition to another. */
export function changesSql(): string {
  return read('changes.sql');
}
