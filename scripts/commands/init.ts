import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { loadDefinitions } from '../../adapters/definitions.ts';
import type { SourceTable } from '../../core/catalog.ts';
import { TidegateError } from '../../core/errors.ts';
import { formatTableName } from '../../core/identifiers.ts';
import { isView, proposeTables } from '../../core/initTables.ts';
import { captureUrl, definitionText, type Proposal, pipelineNameOf, setupSql } from '../../core/initText.ts';
import type { CommandContext } from '../context.ts';
import { formatCount } from '../output.ts';

interface InitFlags {
  name?: string;
  out?: string;
  tables: string[];
  force: boolean;
  json?: true;
}

/** What the catalog says, as far as a definition needs it. */
interface Survey {
  database: string;
  walLevel: string;
  sources: SourceTable[];
}

export function registerInit(program: Command, context: CommandContext): void {
  program
    .command('init')
    .argument('<database url>', 'postgres://user@host:5432/database; the user needs to see the tables, nothing more')
    .description("write a definition of a database's tables, and print the SQL for the role that reads them")
    .option('--name <name>', "the pipeline's name; default: the database's")
    .option('--out <file>', 'where to write, a path that ends in pipeline.ts; default: <name>/pipeline.ts')
    .option('--tables <patterns>', "such as 'sales.*,public.orders'; default: all", (text) => text.split(','), [])
    .option('--force', 'write over a file that is there', false)
    .option('--json', 'print one JSON object: the tables, and the SQL, settings and commands that come next')
    .action(async (text: string, flags: InitFlags) => {
      const url = databaseUrl(text);
      const name = flags.name ?? pipelineNameOf(decodeURIComponent(url.pathname.slice(1)));
      await requireFreeName(name);
      const file = outFile(flags.out ?? join(name, 'pipeline.ts'), flags.force);
      const { database, walLevel, sources } = await survey(url, flags.tables);
      const variable = `${name.toUpperCase()}_DATABASE_URL`;
      const proposal: Proposal = { name, variable, database, tables: proposeTables(sources) };
      // A definition that is in one of the folders already needs no further one.
      const { pipelineFolders } = context.environment;
      const known = [dirname(file), dirname(dirname(file))].some((folder) => pipelineFolders.includes(folder));
      const folders = known ? pipelineFolders : [...pipelineFolders, dirname(file)];
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, definitionText(proposal));
      const next = nextSteps({ proposal, folders, walLevel, url });
      if (flags.json)
        console.log(JSON.stringify({ file, name, database, tables: tablesOf(proposal), ...next }, null, 2));
      else for (const line of reportLines({ proposal, file, next })) console.log(line);
    });
}

function databaseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url && /^postgres(ql)?:$/.test(url.protocol) && url.pathname.length > 1) return url;
  throw new TidegateError('INVALID_SETTING', 'the database has to be given as a URL', {
    remedy: 'Write it like postgres://user@host:5432/database; PGPASSWORD may hold the password.',
  });
}

async function requireFreeName(name: string): Promise<void> {
  const invalid = (what: string) =>
    new TidegateError('INVALID_SETTING', `a pipeline cannot be called '${name}': ${what}`, {
      remedy: 'Choose another name with --name.',
    });
  if (!/^[a-z][a-z0-9_]{0,40}$/.test(name)) throw invalid('it must start with a letter and hold a-z, 0-9 and _ only');
  if ((await loadDefinitions([])).names.includes(name)) throw invalid('one of that name ships with Tidegate');
}

function outFile(written: string, force: boolean): string {
  const file = resolve(written);
  if (basename(file) !== 'pipeline.ts') {
    throw new TidegateError('INVALID_SETTING', `--out ${written} does not end in pipeline.ts`, {
      remedy: 'Definitions are found by that name: write --out <folder>/pipeline.ts.',
    });
  }
  if (existsSync(file) && !force) {
    throw new TidegateError('INVALID_SETTING', `${file} is there already`, {
      remedy: 'Choose another file with --out, or write over it with --force.',
    });
  }
  return file;
}

async function survey(url: URL, patterns: readonly string[]): Promise<Survey> {
  // Imported here: --help needs no database client.
  const { connectPostgres, readSourceTable } = await import('../../adapters/postgres.ts');
  const { listTables } = await import('../../adapters/postgresTables.ts');
  const client = await connectPostgres(url, { applicationName: 'tidegate init' });
  try {
    const listed = await listTables(client);
    const wanted = listed.filter(({ schema, name }) => matches(patterns, `${schema}.${name}`));
    if (wanted.length === 0) {
      const there = listed.map(formatTableName).join(', ') || 'none';
      throw new TidegateError('UNKNOWN_TABLE', `no table of ${url.pathname.slice(1)} is called so`, {
        remedy: `There are: ${there}.`,
      });
    }
    const sources: SourceTable[] = [];
    for (const table of wanted) sources.push(await readSourceTable(client, table));
    const { rows } = await client.query<{ database: string; level: string }>(
      "SELECT current_database() AS database, current_setting('wal_level') AS level",
    );
    return { database: rows[0]!.database, walLevel: rows[0]!.level, sources };
  } finally {
    await client.end();
  }
}

/** Patterns name `schema.table`, or a table of the schema public; `*` stands for any characters. None match all. */
function matches(patterns: readonly string[], name: string): boolean {
  if (patterns.length === 0) return true;
  return patterns.some((pattern) => {
    const whole = pattern.includes('.') || pattern === '*' ? pattern : `public.${pattern}`;
    const escaped = whole.split('*').map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&'));
    return new RegExp(`^${escaped.join('.*')}$`, 'su').test(name);
  });
}

interface NextSteps {
  /** Statements to run at the source. */
  sql: string[];
  /** Lines for .env. */
  settings: string[];
  commands: string[];
}

function nextSteps(done: { proposal: Proposal; folders: readonly string[]; walLevel: string; url: URL }): NextSteps {
  const { proposal, folders, walLevel, url } = done;
  const { name, variable, tables } = proposal;
  const firstLoad = tables.filter((table) => table.load === 'reference' && !isView(table.source));
  const loads = firstLoad.map(({ label }) => `npm run trigger -- load ${shellWord(`${name}.${label}`)}`);
  return {
    sql: setupSql(proposal, walLevel),
    settings: [`${variable}=${captureUrl(url)}`, `TIDEGATE_PIPELINES=${folders.join(':')}`],
    commands: [
      `npx tidegate plan ${name}`,
      `npx tidegate apply ${name}`,
      ...(loads.length > 0 ? ['npm run schedule', ...loads] : []),
      `npx tidegate verify ${name}`,
    ],
  };
}

/** What `--json` says of the tables. */
function tablesOf({ tables }: Proposal) {
  return tables.map(({ label, load, reason, target, source, warnings }) => ({
    ...{ table: label, load: isView(source) ? null : load, reason, target, warnings },
    ...{ unlogged: source.unlogged ?? false, rowSecurity: source.rowSecurity ?? false },
  }));
}

/** What was written, the SQL to run, the settings to make, and the commands that come next. */
function reportLines({ proposal, file, next }: { proposal: Proposal; file: string; next: NextSteps }): string[] {
  const { tables } = proposal;
  const count = (load: string | null) => tables.filter((table) => table.load === load && !isView(table.source)).length;
  const indented = (text: string) => text.split('\n').map((line) => `    ${line}`);
  return [
    `Wrote ${file}: ${formatCount(count('stream'))} stream tables, ${formatCount(count('reference'))} reference tables, ${formatCount(count(null))} left out. Read it; it says why.`,
    '',
    `1. Run this in ${proposal.database}, as a superuser or as the tables' owner:`,
    '',
    ...next.sql.flatMap(indented),
    '',
    '2. Put this into .env, or into the environment, with the password you chose:',
    '',
    ...next.settings.flatMap(indented),
    '',
    '3. See what would be done, do it, and compare; a worker has to run (npm run worker):',
    '',
    ...next.commands.flatMap(indented),
  ];
}

function shellWord(text: string): string {
  return /^[\w.-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
