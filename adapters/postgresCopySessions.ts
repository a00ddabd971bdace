import type pg from 'pg';
import { pgTable } from '../core/identifiers.ts';
import { connectPostgres } from './postgres.ts';
import { guarded } from './postgresCopyErrors.ts';

/**
 * Settings of a session that copies for hours. Those that this version of PostgreSQL does not know are left out.
 * client_connection_check_interval ends a query that waits for a lock after its reader has been killed.
 */
const COPY_SETTINGS = {
  statement_timeout: '0',
  lock_timeout: '0',
  idle_session_timeout: '0',
  idle_in_transaction_session_timeout: '0',
  transaction_timeout: '0',
  client_connection_check_interval: '1s',
  jit: 'off',
} as const;

const BEGIN = 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY';

/** A table as far as locking needs it. */
interface Lockable {
  schema: string;
  name: string;
  /** pg_class.relkind. */
  kind: string;
}

/**
 * The sessions of one copy. They end together: when it is over, and at once when it is aborted, so that nothing of it goes
 * on at the source. Methods throw what sourceError makes of PostgreSQL's errors.
 */
export class CopySessions implements AsyncDisposable {
  readonly all: pg.Client[] = [];
  readonly #url: URL;
  readonly #applicationName: string;
  readonly #signal: AbortSignal;
  readonly #end = () => void this.#endAll();

  constructor(options: { url: URL; applicationName: string; signal: AbortSignal }) {
    this.#url = options.url;
    this.#applicationName = options.applicationName;
    this.#signal = options.signal;
    this.#signal.addEventListener('abort', this.#end);
  }

  /** Opens one more session. */
  async open(): Promise<pg.Client> {
    this.#signal.throwIfAborted();
    const session = await connectPostgres(this.#url, { applicationName: this.#applicationName });
    this.all.push(session);
    await guarded(() =>
      session.query(
        `SELECT set_config(name, wanted.value, false)
         FROM pg_settings JOIN unnest($1::text[], $2::text[]) AS wanted(key, value) ON wanted.key = name`,
        [Object.keys(COPY_SETTINGS), Object.values(COPY_SETTINGS)],
      ),
    );
    this.#signal.throwIfAborted();
    return session;
  }

  /** Opens sessions in the snapshot until there are `count` of them. */
  async openInSnapshot({ count, snapshot }: { count: number; snapshot: string }): Promise<void> {
    const missing = Array.from({ length: count - this.all.length });
    const opened = await Promise.allSettled(missing.map(async () => joinSnapshot(await this.open(), snapshot)));
    // All have been opened or refused before one is reported, so that none is opened after the others have ended.
    const failed = opened.find((each) => each.status === 'rejected');
    if (failed) throw failed.reason;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#signal.removeEventListener('abort', this.#end);
    await this.#endAll();
  }

  async #endAll(): Promise<void> {
    await Promise.all(this.all.map((session) => session.end()));
  }
}

/**
 * Begins a transaction that sees the source as it is now, and returns the name under which others can join it. The
 * tables are locked before: one that is rewritten after the snapshot was taken would seem empty in it.
 */
export async function beginExportedSnapshot(session: pg.Client, tables: readonly Lockable[]): Promise<string> {
  return guarded(async () => {
    await session.query(BEGIN);
    await lockTables(session, tables);
    const { rows } = await session.query<{ name: string }>('SELECT pg_export_snapshot() AS name');
    return rows[0]!.name;
  });
}

/** Begins a transaction that sees what the exporting one sees. The exporter must be open now, and need not be later. */
export async function joinSnapshot(session: pg.Client, snapshot: string): Promise<void> {
  await guarded(async () => {
    await session.query(BEGIN);
    await session.query(`SET TRANSACTION SNAPSHOT ${session.escapeLiteral(snapshot)}`);
  });
}

/** Keeps the tables from being altered, rewritten or truncated until the transaction ends. Reads and writes go on. */
export async function lockTables(session: pg.Client, tables: readonly Lockable[]): Promise<void> {
  // Only plain and partitioned tables can be locked, and only they can be rewritten.
  for (const table of tables.filter(({ kind }) => kind === 'r' || kind === 'p')) {
    await guarded(() => session.query(`LOCK TABLE ${pgTable(table)} IN ACCESS SHARE MODE`));
  }
}

/**
 * Names of the files that hold the rows now, as one text: it changes when a table is rewritten or truncated, or gains or
 * loses a partition.
 */
export async function tableFiles(session: pg.Client, oids: readonly number[]): Promise<string> {
  const { rows } = await guarded(() =>
    session.query<{ files: string | null }>(
      `SELECT string_agg(relation || ':' || coalesce(pg_relation_filenode(relation)::text, ''), ' ' ORDER BY relation) AS files
       FROM (SELECT unnest($1::oid[]) AS relation
             UNION SELECT tree.relid::oid FROM unnest($1::oid[]) AS root, pg_partition_tree(root) AS tree) AS relations`,
      [oids],
    ),
  );
  return rows[0]!.files ?? '';
}

/** server_version_num, such as 180004. */
export async function serverVersion(session: pg.Client): Promise<number> {
  const { rows } = await guarded(() =>
    session.query<{ version: number }>("SELECT current_setting('server_version_num')::int AS version"),
  );
  return rows[0]!.version;
}
