/**
 * The error catalogue. Every failure that a person may meet has a code here; the comment of a code is what the
 * documentation says about it. `retryable` decides what a workflow does: back off and try again, or stop and ask.
 */
export const ERROR_CATALOGUE = {
  /** A pipeline definition does not validate, or two definitions share a name. */
  INVALID_DEFINITION: { retryable: false },
  /** The named pipeline is not among the definitions found. */
  UNKNOWN_PIPELINE: { retryable: false },
  /** The pipeline has no such table, or the table is not of the kind that the command works on. */
  UNKNOWN_TABLE: { retryable: false },
  /** A setting is missing or malformed in the environment. */
  INVALID_SETTING: { retryable: false },
  /** A service did not answer at its address. */
  SERVICE_UNREACHABLE: { retryable: true },
  /** A service refused the user or the password. */
  ACCESS_DENIED: { retryable: false },
  /** The source is not ready: missing table, key, publication, role attribute or wal_level. */
  SOURCE_NOT_READY: { retryable: false },
  /** A source column has a type, or the table a shape, that cannot be replicated exactly. */
  UNSUPPORTED_SOURCE: { retryable: false },
  /** The replication slot is gone or its WAL has been removed: the stream cannot go on without a new snapshot. */
  SLOT_LOST: { retryable: false },
  /** The committed Kafka offset is below the earliest retained message: messages would be missed. */
  OFFSET_LOST: { retryable: false },
  /** The source schema no longer matches the target's. */
  SCHEMA_DRIFT: { retryable: false },
  /** More messages cannot be loaded than may be set aside as dead letters, or most of a batch cannot. */
  BAD_MESSAGE: { retryable: false },
  /** A load ended with another number of rows than the source said it sent; nothing was swapped in. */
  SHORT_LOAD: { retryable: true },
  /** Kafka Connect refused the connector or its task keeps failing. */
  CONNECTOR_FAILED: { retryable: true },
  /** The brokers take no message of this size, and what follows it must not overtake it. */
  MESSAGE_TOO_LARGE: { retryable: false },
  /** Another process already does this work. */
  ALREADY_RUNNING: { retryable: false },
  /** The local stack lacks a tool, or a service of it cannot start. */
  STACK_FAILED: { retryable: false },
  /** There is no dead letter of these coordinates, or one could not be loaded this time either. */
  DEAD_LETTER: { retryable: false },
  /** The pipeline has no running supervisor. */
  NOT_STARTED: { retryable: false },
  /** The pipeline's stream is paused, so that what waits in Kafka does not land. */
  STREAM_PAUSED: { retryable: false },
  /** ClickHouse refuses a mart's SELECT, or it gives rows of other days than asked for; nothing was swapped in. */
  MART_REFUSED: { retryable: false },
  /** Source and target differ, or could not be compared. */
  DIFFERENCE_FOUND: { retryable: false },
} as const satisfies Record<string, { retryable: boolean }>;

export type ErrorCode = keyof typeof ERROR_CATALOGUE;

/** What happened, and what to do about it: both are shown to the user, on one line. */
export interface ErrorDetails {
  remedy: string;
  cause?: unknown;
  /** For the code that handles the failure, as JSON: names, counts and offsets only. */
  details?: unknown;
}

/** The one error class of the project. `message` says what happened; `remedy` says what to do. */
export class TidegateError extends Error {
  readonly code: ErrorCode;
  readonly remedy: string;
  readonly details: unknown;

  constructor(code: ErrorCode, message: string, { remedy, cause, details }: ErrorDetails) {
    super(message, { cause });
    this.name = 'TidegateError';
    this.code = code;
    this.remedy = remedy;
    this.details = details;
  }

  get retryable(): boolean {
    return ERROR_CATALOGUE[this.code].retryable;
  }

  /** `CODE: what happened. What to do.` on one line, for terminals and for Temporal's failure messages. */
  get line(): string {
    const what = this.message.replace(/\s*\n\s*/g, ' ').replace(/\.$/, '');
    return `${this.code}: ${what}. ${this.remedy}`;
  }
}

/** The message of anything thrown, on one line. */
export function messageOf(error: unknown): string {
  if (error instanceof TidegateError) return error.line;
  if (error instanceof AggregateError && error.message === '' && error.errors.length > 0) {
    return messageOf(error.errors[0]);
  }
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/\s*\n\s*/g, ' ');
}
