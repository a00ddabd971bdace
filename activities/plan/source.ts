import type { Client } from 'pg';
import { captureUrl } from '../../adapters/captureUrl.ts';
import { connectPostgres, readSourceTable } from '../../adapters/postgres.ts';
import type { SourceTable } from '../../core/catalog.ts';
import { requireStreamable } from '../../core/ddl.ts';
import { historyWarning } from '../../core/ddlHistory.ts';
import { type Pipeline, type PipelineTable, streamTables } from '../../core/definition.ts';
import { type ErrorCode, messageOf, TidegateError } from '../../core/errors.ts';
import { formatTableName, pgIdentifier, pgTable } from '../../core/identifiers.ts';
import type { PlannedStep } from '../../core/plan.ts';
import { type ColumnWarning, columnObject, columnWarnings } from '../../core/typeLimits.ts';
import { isWholeRowKey, keyNames, mappedColumns } from '../../core/typeMapping.ts';
import type { ActivityDeps } from '../deps.ts';
import { noteTables } from '../snapshotRecord.ts';
import { dropStep } from './leftovers.ts';

/** What the source looks like: the plan's items for it, and the catalog of every table that could be read. */
export interface SourcePlan {
  steps: PlannedStep[];
  tables: { table: PipelineTable; source: SourceTable }[];
}

/** A person has to change the source, or the definition; the other tables can be planned. */
const BLOCKING: readonly ErrorCode[] = ['SOURCE_NOT_READY', 'UNSUPPORTED_SOURCE'];

/**
 * Checks the source through the capture role and plans the publication. Changes nothing.
 * @param aside why tables are left aside, by label: they are published, if they exist, and nothing else.
 */
export async function planSource(
  deps: ActivityDeps,
  pipeline: Pipeline,
  aside: ReadonlyMap<string, string>,
): Promise<SourcePlan> {
  // Event topics alone need no source.
  if (pipeline.tables.length === 0) return { steps: [], tables: [] };
  const url = captureUrl(deps.environment, pipeline);
  const client = await connectPostgres(url, { applicationName: 'tidegate plan' });
  try {
    const steps: PlannedStep[] = [];
    const tables: SourcePlan['tables'] = [];
    for (const table of pipeline.tables) {
      const reason = aside.get(table.label);
      if (reason !== undefined) {
        const detail = `left aside: ${reason}`;
        steps.push({ system: 'postgres', object: `table ${table.label}`, action: 'later', detail });
        continue;
      }
      try {
        const source = await readSourceTable(client, table);
        const step = await planTable(client, table, source);
        steps.push(step, ...columnWarnings(table, source).map((warning) => warned(source, warning)));
        if (isWholeRowKey({ table, source })) steps.push(collapsing(table));
        const warning = historyWarning(table);
        if (warning) steps.push({ system: 'postgres', object: step.object, action: 'warn', detail: warning });
        // What is blocked has no target yet; what has none cannot be planned.
        if (step.action !== 'blocked') tables.push({ table, source });
      } catch (error) {
        if (!(error instanceof TidegateError) || !BLOCKING.includes(error.code)) throw error;
        steps.push(blocked(`table ${table.label}`, messageOf(error)));
      }
    }
    if (streamTables(pipeline).length > 0) {
      steps.push(...(await planReplication(client, pipeline)));
      steps.push(...(await planPublication(deps, client, { pipeline, aside })));
    }
    return { steps, tables };
  } finally {
    await client.end();
  }
}

function warned(source: SourceTable, { column, detail }: ColumnWarning): PlannedStep {
  return { system: 'postgres', object: columnObject(source, column), action: 'warn', detail };
}

/** What such a key cannot tell. */
function collapsing({ label }: PipelineTable): PlannedStep {
  const detail =
    'it has no key, so rows that are ever equal, even for the length of a statement, become one: when one of them is ' +
    'deleted or changed, the target loses both (after UPDATE ... SET v = v + 1, for example). verify finds that. Add a key';
  return { system: 'postgres', object: `table ${label}`, action: 'warn', detail };
}

function blocked(object: string, detail: string): PlannedStep {
  return { system: 'postgres', object, action: 'blocked', detail };
}

async function planTable(client: Client, table: PipelineTable, source: SourceTable): Promise<PlannedStep> {
  const object = `table ${table.label}`;
  const { rows } = await client.query<{ readable: boolean; restricted: boolean; role: string }>(
    'SELECT has_table_privilege($1::oid, $2) AS readable, row_security_active($1::oid) AS restricted, current_user AS role',
    [source.oid, 'SELECT'],
  );
  const { readable, restricted, role } = rows[0]!;
  if (!readable) {
    const grant = `GRANT USAGE ON SCHEMA ${pgIdentifier(table.schema)} TO ${pgIdentifier(role)}; GRANT SELECT ON ${pgTable(table)} TO ${pgIdentifier(role)};`;
    return blocked(object, `role ${role} may not read it. As its owner run: ${grant}`);
  }
  if (restricted) {
    const bypass = `ALTER ROLE ${pgIdentifier(role)} BYPASSRLS;`;
    return blocked(object, `its row-level security would hide rows from role ${role}. As a superuser run: ${bypass}`);
  }
  if (table.load === 'stream') requireStreamable({ table, source });
  // Throws for a column that cannot be replicated.
  mappedColumns({ table, source });
  const detail = [`${source.columns.length} columns`, keyDetail(table, source)];
  // PostgreSQL writes no change for these: see pg_publication's publish_via_partition_root.
  if (source.kind === 'p') detail.push('rows that go by TRUNCATE, DROP or DETACH of one partition stay: DELETE them');
  return { system: 'postgres', object, action: 'none', detail: detail.join(', ') };
}

function keyDetail(table: PipelineTable, source: SourceTable): string {
  if (isWholeRowKey({ table, source })) return 'the whole row is its key: equal rows count once';
  return `key ${keyNames({ table, source }).join(', ') || '(none)'}`;
}

async function planReplication(client: Client, pipeline: Pipeline): Promise<PlannedStep[]> {
  const { rows } = await client.query<{ level: string; allowed: boolean; role: string; free: number; slot: boolean }>(
    `SELECT current_setting('wal_level') AS level, current_user AS role,
            (SELECT rolreplication OR rolsuper FROM pg_roles WHERE rolname = current_user) AS allowed,
            current_setting('max_replication_slots')::int - (SELECT count(*)::int FROM pg_replication_slots) AS free,
            EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = $1) AS slot`,
    [pipeline.stream.slot],
  );
  const { level, allowed, role, free, slot } = rows[0]!;
  const object = `slot ${pipeline.stream.slot}`;
  if (level !== 'logical') {
    return [
      blocked(object, `wal_level is ${level}. Run: ALTER SYSTEM SET wal_level = 'logical'; and restart PostgreSQL.`),
    ];
  }
  if (!allowed) {
    return [blocked(object, `role ${role} may not replicate. Run: ALTER ROLE ${pgIdentifier(role)} REPLICATION;`)];
  }
  if (slot) return [{ system: 'postgres', object, action: 'none', detail: 'exists' }];
  if (free < 1) {
    return [
      blocked(
        object,
        'no replication slot is free. Drop one that nobody uses (SELECT slot_name FROM pg_replication_slots WHERE NOT active;) or raise max_replication_slots and restart.',
      ),
    ];
  }
  return [{ system: 'postgres', object, action: 'later', detail: 'created by the snapshot' }];
}

async function planPublication(
  deps: ActivityDeps,
  client: Client,
  { pipeline, aside }: { pipeline: Pipeline; aside: ReadonlyMap<string, string> },
): Promise<PlannedStep[]> {
  const { publication } = pipeline.stream;
  const wanted: string[] = [];
  for (const table of streamTables(pipeline)) {
    const { rows } = await client.query('SELECT to_regclass($1) IS NOT NULL AS exists', [pgTable(table)]);
    if (rows[0].exists || !aside.has(table.label)) wanted.push(pgTable(table));
  }
  const { rows: published } = await client.query<{ schema: string; name: string; table: string }>(
    'SELECT n.nspname AS schema, c.relname AS name, format(\'"%s"."%s"\', replace(n.nspname, \'"\', \'""\'), replace(c.relname, \'"\', \'""\')) AS table ' +
      'FROM pg_publication p JOIN pg_publication_rel r ON r.prpubid = p.oid JOIN pg_class c ON c.oid = r.prrelid ' +
      'JOIN pg_namespace n ON n.oid = c.relnamespace WHERE p.pubname = $1',
    [publication],
  );
  const { rows: found } = await client.query('SELECT FROM pg_publication WHERE pubname = $1', [publication]);
  const missing = wanted.filter((table) => !published.some((row) => row.table === table));
  const extra = published.filter((row) => !wanted.includes(row.table));
  const object = `publication ${publication}`;
  const name = pgIdentifier(publication);
  const left = extra.map((row) => {
    const sql = `ALTER PUBLICATION ${name} DROP TABLE ${row.table}`;
    const detail = `no definition streams it; ${sql}`;
    const apply = async () => {
      // Noted before: whoever adds the table again finds that changes have been missed.
      await noteTables(deps.clickhouse, pipeline, [{ state: 'removed', table: formatTableName(row) }]);
      await runAsOwner(deps, pipeline, sql);
    };
    return dropStep('postgres', `${object}, table ${row.table}`, { detail, apply });
  });
  if (found.length > 0 && missing.length === 0) {
    return [{ system: 'postgres', object, action: 'none', detail: wanted.join(', ') }, ...left];
  }
  const sql =
    found.length === 0
      ? `CREATE PUBLICATION ${name} FOR TABLE ${wanted.join(', ')} WITH (publish_via_partition_root = true)`
      : `ALTER PUBLICATION ${name} ADD TABLE ${missing.join(', ')}`;
  const action = found.length === 0 ? 'create' : 'change';
  return [{ system: 'postgres', object, action, detail: sql, apply: () => runAsOwner(deps, pipeline, sql) }, ...left];
}

/** Only an owner of the tables may publish them; the capture role may not and need not. */
async function runAsOwner(deps: ActivityDeps, pipeline: Pipeline, sql: string): Promise<void> {
  const owner = await connectPostgres(deps.environment.url(pipeline.source.url), { applicationName: 'tidegate apply' });
  try {
    await owner.query(sql);
  } catch (cause) {
    throw new TidegateError('SOURCE_NOT_READY', `PostgreSQL refused to publish the tables: ${messageOf(cause)}`, {
      remedy: `As the tables' owner run: ${sql};`,
      cause,
    });
  } finally {
    await owner.end();
  }
}
