import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { TidegateError } from '../core/errors.ts';

/**
 * The one reader of process.env. A setting comes from the environment, else from `.env`, else from the local stack that
 * runs in TIDEGATE_HOME (its addresses and credentials are in `stack.env` there).
 */
export class Environment {
  readonly #values: Readonly<Record<string, string>>;
  /** Folder of the local stack and of everything Tidegate keeps on this machine. */
  readonly home: string;

  constructor(values: Readonly<Record<string, string | undefined>>) {
    const set = Object.entries(values).filter((entry): entry is [string, string] => Boolean(entry[1]));
    this.#values = Object.fromEntries(set);
    this.home = resolve(this.#values['TIDEGATE_HOME'] ?? '.tidegate');
  }

  /** The value of a setting, or undefined when it is not set or empty. */
  optional(name: string): string | undefined {
    return this.#values[name];
  }

  /** @throws TidegateError INVALID_SETTING when the setting is missing. */
  required(name: string): string {
    const value = this.#values[name];
    if (value !== undefined) return value;
    throw new TidegateError('INVALID_SETTING', `${name} is not set`, {
      remedy: `Start the local stack with 'npm start', or set ${name} in the environment or in .env (see .env.example).`,
    });
  }

  /** @throws TidegateError INVALID_SETTING when the setting is missing or not a URL. The value is never in the message. */
  url(name: string): URL {
    const value = this.required(name);
    if (URL.canParse(value)) return new URL(value);
    throw new TidegateError('INVALID_SETTING', `${name} is not a URL`, {
      remedy: `Write it like postgres://user:password@host:5432/database, with special characters percent-encoded.`,
    });
  }

  /** A copy in which some settings have other values; for tests and for the process that started the stack. */
  with(values: Readonly<Record<string, string>>): Environment {
    return new Environment({ ...this.#values, ...values });
  }

  /** Folders of further pipeline definitions, from TIDEGATE_PIPELINES (separated by `:`). */
  get pipelineFolders(): string[] {
    return (this.optional('TIDEGATE_PIPELINES') ?? '')
      .split(':')
      .filter(Boolean)
      .map((folder) => resolve(folder));
  }

  /** Where downloads and builds are kept between runs. */
  get cache(): string {
    const base = this.optional('XDG_CACHE_HOME') ?? join(homedir(), '.cache');
    return this.optional('TIDEGATE_CACHE') ?? join(base, 'tidegate');
  }

  /** All settings by name, for child processes and for `tidegate env`. */
  entries(): [string, string][] {
    return Object.entries(this.#values);
  }
}

/** File in TIDEGATE_HOME where a running local stack publishes its addresses and credentials, as KEY=value lines. */
export const STACK_ENV_FILE = 'stack.env';

/** Reads a file of KEY=value lines; empty when there is none. */
export function readEnvFile(file: string): Record<string, string> {
  return existsSync(file) ? (parseEnv(readFileSync(file, 'utf8')) as Record<string, string>) : {};
}

/** Reads the environment of this process. */
export function loadEnvironment(): Environment {
  const own = { ...readEnvFile('.env'), ...process.env };
  const { home } = new Environment(own);
  return new Environment({ ...readEnvFile(join(home, STACK_ENV_FILE)), ...own });
}
