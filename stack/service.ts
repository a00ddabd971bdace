import type { Credentials, Home } from './home.ts';
import type { EndingStep } from './identity.ts';
import type { Ports } from './ports.ts';
import type { Say } from './progress.ts';

/** What every service may know about the stack that it is part of. */
export interface ServiceContext {
  readonly home: Home;
  readonly ports: Ports;
  readonly credentials: Credentials;
  readonly say: Say;
  /** What ClickHouse's account of the report service may do: `SELECT ON db.table`. */
  readonly reportGrants: readonly string[];
  /** Aborted when the start is given up; whatever takes long listens to it. */
  readonly signal: AbortSignal;
}

/** How to run a service's process. */
export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly uid?: number;
  readonly gid?: number;
}

export interface Service {
  /** Names the log and the pid file, and begins each line of progress. */
  readonly name: string;
  /** Programs that must be installed but are not, given what is cached. Empty when all is well. */
  missingTools(): Promise<readonly MissingTool[]>;
  /** Gets what the service needs: programs into the cache, configuration and empty data into the home. */
  prepare(context: ServiceContext): Promise<Command>;
  /** One real request. Rejects while the service does not answer it properly; with a TidegateError if it never will. */
  check(context: ServiceContext): Promise<void>;
  /** Signals for a clean stop, gentlest first; SIGKILL follows by itself. */
  readonly ending: readonly EndingStep[];
  /** Addresses and credentials for those who use the service. */
  env(context: Pick<ServiceContext, 'home' | 'ports' | 'credentials'>): Readonly<Record<string, string>>;
}

export interface MissingTool {
  /** What is missing, such as "Java 17 or later". */
  readonly what: string;
  /** Its Debian package. */
  readonly aptPackage: string;
}
