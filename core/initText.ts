import { pgIdentifier, pgTable } from './identifiers.ts';
import { isView, type ProposedTable } from './initTables.ts';

/** What a new definition is made of. */
export interface Proposal {
  name: string;
  /** Name of the environment variable with the source's URL. */
  variable: string;
  /** Name of the source's database. */
  database: string;
  tables: readonly ProposedTable[];
}

const WIDTH = 120;
const CAPTURE_ROLE = 'tidegate';

/** The name that a pipeline of a database gets: letters, digits and underscores, beginning with a letter. */
export function pipelineNameOf(database: string): string {
  const name = database.toLowerCase().replaceAll(/[^a-z0-9]+/g, '_');
  return name.replaceAll(/^[^a-z]+|_+$/g, '').slice(0, 40) || 'source';
}

/** A definition as a file of TypeScript that imports nothing, so that it loads from any folder. */
export function definitionText({ name, variable, database, tables }: Proposal): string {
  const of = (load: ProposedTable['load'], view: boolean) =>
    tables.filter((table) => table.load === load && isView(table.source) === view);
  const sections = [
    { comment: 'Streamed: every change follows within a second.', tables: of('stream', false) },
    { comment: 'Loaded whole, at 03:00 UTC unless a schedule says otherwise.', tables: of('reference', false) },
    { comment: 'Views: a load copies the rows that one has at that moment.', tables: of('reference', true) },
    { comment: 'Left out, since they cannot be replicated as they are.', tables: tables.filter(({ load }) => !load) },
  ].filter((section) => section.tables.length > 0);
  const told = new Set<string>();
  const body = sections.map((section) =>
    [...commentLines(section.comment), ...section.tables.flatMap((table) => tableLines(table, told))].join('\n'),
  );
  return [
    `// Written by tidegate init from the catalog of the database ${oneLine(database)}. Change it as you like, then ask:`,
    `//   npx tidegate plan ${name}`,
    "// Only what is listed is replicated. A table with load: 'reference' may have a schedule: a cron expression, in UTC.",
    'export default {',
    `  name: '${name}',`,
    '  // The URL is in the environment, or in .env, under this name; a password never belongs in this file.',
    `  source: '${variable}',`,
    '  tables: {',
    body.join('\n\n'),
    '  },',
    '};',
    '',
  ].join('\n');
}

/**
 * The SQL for the role that reads, and for the publication. A superuser, or the tables' owner with CREATEROLE and
 * REPLICATION, runs it in the source's database.
 * @param walLevel the server's setting.
 */
export function setupSql({ name, database, tables }: Proposal, walLevel: string): string[] {
  const role = CAPTURE_ROLE;
  const kept = tables.filter((table) => table.load !== null && !isView(table.source));
  const streamed = kept.filter(({ load }) => load === 'stream');
  const hiding = kept.filter(({ source }) => source.rowSecurity).map(({ label }) => label);
  const schemas = [...new Set(kept.map(({ source }) => source.schema))].map(pgIdentifier);
  const list = (some: readonly ProposedTable[]) => some.map(({ source }) => `\n  ${pgTable(source)}`).join(',');
  const level = walLevel === 'logical' ? [] : ["ALTER SYSTEM SET wal_level = 'logical';  -- then restart PostgreSQL"];
  return [
    ...(streamed.length > 0 ? level : []),
    `CREATE ROLE ${role} LOGIN REPLICATION PASSWORD 'choose one';  -- once a server`,
    `GRANT CONNECT ON DATABASE ${pgIdentifier(database)} TO ${role};`,
    ...(hiding.length > 0
      ? [
          `ALTER ROLE ${role} BYPASSRLS;  -- as a superuser, for the row-level security of ${oneLine(hiding.join(', '))}`,
        ]
      : []),
    ...(schemas.length > 0 ? [`GRANT USAGE ON SCHEMA ${schemas.join(', ')} TO ${role};`] : []),
    ...(kept.length > 0 ? [`GRANT SELECT ON${list(kept)}\n  TO ${role};`] : []),
    ...(streamed.length > 0
      ? [
          `CREATE PUBLICATION ${pgIdentifier(`tidegate_${name}`)} FOR TABLE${list(streamed)}\n  WITH (publish_via_partition_root = true);`,
        ]
      : []),
  ];
}

/** The URL that the environment variable takes: the given one with the role that reads, and no password. */
export function captureUrl(url: URL): string {
  const { host, pathname, search } = url;
  return `postgres://${CAPTURE_ROLE}:PASSWORD@${host}${pathname}${search}`;
}

/** @param told what has been warned of in full before. */
function tableLines(table: ProposedTable, told: Set<string>): string[] {
  const { label, load, target, reason } = table;
  const fields = [
    ...(load === 'reference' ? ["load: 'reference'"] : []),
    ...(target === null ? [] : [`target: ${jsString(target)}`]),
  ];
  const line = `${propertyName(label)}: ${fields.length === 0 ? '{}' : `{ ${fields.join(', ')} }`},`;
  // A view is offered, not taken: what it costs to load one, only its owner knows.
  const off = load === null || isView(table.source);
  const hides = 'It has row-level security: the role that reads needs BYPASSRLS, or plan refuses the table.';
  return [
    ...(reason === null || isView(table.source) ? [] : commentLines(reason)),
    ...(table.source.rowSecurity && load !== null ? commentLines(hides) : []),
    ...warningTexts(table, told).flatMap(commentLines),
    `    ${off ? '// ' : ''}${line}`,
  ];
}

/** A warning in full where it first occurs; after that only which columns it is about. */
function warningTexts({ source, warnings }: ProposedTable, told: Set<string>): string[] {
  const again = new Map<string, string[]>();
  const texts: string[] = [];
  for (const { column, detail } of warnings) {
    const general = detail.replaceAll(pgIdentifier(column), '<column>');
    if (told.has(general)) {
      const type = source.columns.find(({ name }) => name === column)!.type;
      again.set(type, [...(again.get(type) ?? []), column]);
    } else {
      told.add(general);
      texts.push(`${column}: ${detail}`);
    }
  }
  return [...texts, ...[...again].map(([type, columns]) => `${columns.join(', ')}: ${type}, as above`)];
}

function commentLines(text: string): string[] {
  const lines: string[] = [];
  let line = '    //';
  for (const word of oneLine(text).split(' ')) {
    if (line.length + 1 + word.length > WIDTH && line.trim() !== '//') {
      lines.push(line);
      line = '    //';
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}

/** A name may hold anything, and a comment ends with its line. */
function oneLine(text: string): string {
  return text.replaceAll(/[\r\n\u2028\u2029]+/g, ' ');
}

function propertyName(label: string): string {
  if (label === '__proto__') return "['__proto__']";
  return /^[A-Za-z_$][\w$]*$/.test(label) ? label : jsString(label);
}

function jsString(text: string): string {
  const escaped = JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'");
  return `'${escaped}'`;
}
