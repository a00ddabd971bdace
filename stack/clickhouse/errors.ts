/** What the HTTP interface answers when something fails: a code, its name, a message and an HTTP status. */
export class ClickHouseException extends Error {
  readonly code: number;
  readonly type: string;

  constructor(code: number, type: string, message: string) {
    super(message);
    this.name = 'ClickHouseException';
    this.code = code;
    this.type = type;
  }

  /** The body that clients parse: `Code: 60. DB::Exception: ... (UNKNOWN_TABLE) (version 26.7.2.1)`. */
  render(version: string): string {
    return `Code: ${this.code}. DB::Exception: ${this.message} (${this.type}) (version ${version} (official build))\n`;
  }
}

/** The codes that this server raises by itself; every other one comes from the engine. */
export const raise = {
  notImplemented: (message: string) => new ClickHouseException(48, 'NOT_IMPLEMENTED', message),
  syntax: (message: string) => new ClickHouseException(62, 'SYNTAX_ERROR', message),
  unknownSetting: (name: string) => new ClickHouseException(115, 'UNKNOWN_SETTING', `Unknown setting '${name}'.`),
  readonlySetting: (name: string) =>
    new ClickHouseException(164, 'READONLY', `Cannot modify '${name}' setting in readonly mode.`),
  sameQueryId: (id: string) =>
    new ClickHouseException(216, 'QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING', `Query with id = ${id} is already running.`),
  connectionLost: (message: string) => new ClickHouseException(210, 'NETWORK_ERROR', message),
  queryTooLarge: (message: string) => new ClickHouseException(168, 'QUERY_IS_TOO_LARGE', message),
  badBody: (message: string) => new ClickHouseException(354, 'ZLIB_INFLATE_FAILED', message),
  authenticationFailed: (user: string) =>
    new ClickHouseException(
      516,
      'AUTHENTICATION_FAILED',
      `${user}: Authentication failed: password is incorrect, or there is no user with such name.`,
    ),
  shuttingDown: () => new ClickHouseException(236, 'ABORTED', 'Server is shutting down.'),
};

/** Traces of the pipe that this server put into the statement; they would only puzzle its author. */
const PIPE_TRACES = [
  /:? \(in file\/uri [^)]*\/pipes\/\d+\)/g,
  / ?INTO OUTFILE '[^']*\/pipes\/\d+' APPEND ?/g,
  / ?FROM INFILE '[^']*\/pipes\/\d+' COMPRESSION 'none' ?/g,
];
const PREFIX = /^Code: (\d+)\. DB::\w*Exception: /;
const VERSION = /\s*\(version [^()]*(\([^()]*\))?\)\.?\s*$/;
const TYPE = /\s*\(([A-Z][A-Z0-9_]{2,})\)\s*$/;

/** Turns whatever the engine rejected with into an exception. The engine nests its own text in some statements; the innermost one counts. */
export function fromEngine(error: unknown): ClickHouseException {
  if (error instanceof ClickHouseException) return error;
  let message = error instanceof Error ? error.message : String(error);
  let code = 1002;
  let type = 'UNKNOWN_EXCEPTION';
  for (let prefix = PREFIX.exec(message); prefix; prefix = PREFIX.exec(message)) {
    code = Number(prefix[1]);
    message = message.slice(prefix[0].length).replace(VERSION, '');
    type = TYPE.exec(message)?.[1] ?? type;
    message = message.replace(TYPE, '');
  }
  for (const trace of PIPE_TRACES) message = message.replaceAll(trace, '');
  return new ClickHouseException(code, type, message);
}

const STATUS_BY_TYPE: ReadonlyMap<string, number> = new Map([
  ['REQUIRED_PASSWORD', 401],
  ['AUTHENTICATION_FAILED', 403],
  ['SYNTAX_ERROR', 400],
  ['BAD_ARGUMENTS', 400],
  ['TYPE_MISMATCH', 400],
  ['INCORRECT_DATA', 400],
  ['INVALID_PARTITION_VALUE', 400],
  ['NUMBER_OF_ARGUMENTS_DOESNT_MATCH', 400],
  ['UNKNOWN_EXCEPTION', 500],
  ['QUERY_IS_TOO_LARGE', 413],
  ['NOT_IMPLEMENTED', 501],
  ['SOCKET_TIMEOUT', 503],
  ['CANNOT_OPEN_FILE', 503],
  ['TIMEOUT_EXCEEDED', 408],
]);

/** The HTTP status that a real server gives to this kind of error. */
export function httpStatus({ type }: ClickHouseException): number {
  const exact = STATUS_BY_TYPE.get(type);
  if (exact !== undefined) return exact;
  if (type.startsWith('CANNOT_PARSE_') || type.startsWith('ILLEGAL_')) return 400;
  if (type.startsWith('UNKNOWN_')) return 404;
  return 500;
}
