import { join } from 'node:path';
import { type ChdbResult, Session } from 'chdb';
import { raise } from './errors.ts';
import { PipePool } from './pipes.ts';
import { writeRoles } from './roles.ts';
import { quote } from './statement.ts';
import type { User } from './users.ts';

/** How many statements run side by side; more wait for their turn. Each may take two threads of libuv's pool. */
export const MAX_STATEMENTS = 48;

/** What one statement runs under. */
export interface StatementContext {
  queryId: string;
  database: string | undefined;
  readonly: 0 | 1 | 2;
  /** Settings of the user, which hold even where the request may not change any. */
  userSettings: Iterable<[string, string]>;
  settings: Map<string, string>;
  params: Map<string, string>;
  /** The only role that is active; without one, everything is allowed. */
  role: string | undefined;
}

/** A statement's own connection to the engine, and its pipe. */
export interface RunningStatement {
  pipe: string;
  run(sql: string, format: string): Promise<ChdbResult>;
  /** Asks the engine to stop the statement; returns after the engine has marked it, so nothing that is fed later is inserted. */
  kill(): Promise<void>;
}

/**
 * The engine on one data folder. A connection costs 0.2 ms, so every statement has a fresh one: settings, parameters and the current
 * database cannot leak into another request.
 */
export class Engine {
  readonly version: string;
  readonly #path: string;
  /** Keeps the engine open between statements. */
  readonly #anchor: Session;
  readonly #pipes: PipePool;
  readonly #running = new Map<string, RunningStatement>();
  #closing = false;

  constructor(path: string, users: readonly User[]) {
    this.#path = path;
    try {
      this.#anchor = new Session(path, { connectionArgs: [`--config-file=${writeRoles(path, users)}`] });
    } catch (error) {
      throw new Error(
        `The engine cannot open ${path}. Stop the other process that uses it, or read its message above.`,
        {
          cause: error,
        },
      );
    }
    this.version = this.#anchor.query('SELECT version()', 'TabSeparated').trim();
    this.#pipes = new PipePool(join(path, 'pipes'), MAX_STATEMENTS);
  }

  /** Runs `work` with a connection that is set up for the statement, and takes it down afterwards. */
  async withStatement<T>(context: StatementContext, work: (statement: RunningStatement) => Promise<T>): Promise<T> {
    const { queryId } = context;
    if (this.#closing) throw raise.shuttingDown();
    if (this.#running.has(queryId)) throw raise.sameQueryId(queryId);
    const mark = [queryId, context.settings.get('log_comment')].filter(Boolean).join(' ');
    const statement: RunningStatement = {
      pipe: '',
      run: () => Promise.reject(raise.shuttingDown()),
      kill: () => this.#kill(mark),
    };
    this.#running.set(queryId, statement);
    try {
      statement.pipe = await this.#pipes.take();
      const session = new Session(this.#path);
      try {
        await session.queryAsync(prelude(context, mark));
        statement.run = (sql, format) => session.queryAsync(sql, { format });
        return await work(statement);
      } finally {
        session.close();
        this.#pipes.give(statement.pipe);
      }
    } finally {
      this.#running.delete(queryId);
    }
  }

  async #kill(mark: string): Promise<void> {
    const session = new Session(this.#path);
    try {
      await session.queryAsync(`KILL QUERY WHERE Settings['log_comment'] = ${quote(mark)} ASYNC`);
    } finally {
      session.close();
    }
  }

  /**
   * Lets running statements finish, then stops them and closes the data folder.
   *
   * @returns false when the engine would not stop a statement; then the folder is still open, and only the end of the process closes it
   */
  async close(limits: { finishMs: number; stopMs: number }): Promise<boolean> {
    this.#closing = true;
    if (!(await this.#drained(limits.finishMs))) {
      await Promise.all([...this.#running.values()].map((statement) => statement.kill()));
      if (!(await this.#drained(limits.stopMs))) return false;
    }
    this.#anchor.close();
    this.#pipes.remove();
    return true;
  }

  async #drained(withinMs: number): Promise<boolean> {
    const deadline = Date.now() + withinMs;
    while (this.#running.size > 0 && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20));
    return this.#running.size === 0;
  }
}

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * Statements that set a fresh connection up. Values travel as string literals, which the engine converts to each setting's type;
 * a parameter's literal is read as escaped text, exactly as the HTTP interface reads `param_*`.
 */
function prelude(context: StatementContext, mark: string): string {
  const { role, database, readonly, userSettings, settings, params } = context;
  const assign = (entries: Iterable<[string, string]>, prefix = '') =>
    [...entries].map(([name, value]) => {
      if (!NAME.test(name)) throw raise.unknownSetting(name);
      return `SET ${prefix}${name} = ${quote(value)}`;
    });
  const requested = new Map(settings);
  requested.delete('log_comment');
  // The engine lets a SET through under readonly = 1, so the refusal is made here.
  const [refused] = readonly === 1 ? requested.keys() : [];
  if (refused !== undefined) throw raise.readonlySetting(refused);
  const statements = [
    ...(role === undefined ? [] : [`SET ROLE ${role}`]),
    ...assign(userSettings),
    ...assign([['log_comment', mark]]),
    ...assign(params, 'param_'),
    ...(database === undefined ? [] : [`USE \`${database.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``]),
    ...(readonly === 0 ? [] : [`SET readonly = ${readonly}`]),
    ...assign(requested),
  ];
  return statements.join('; ');
}
