import { ERROR_CATALOGUE, type ErrorCode, messageOf } from './errors.ts';

/**
 * What is to be known about a failure. `code` is an ErrorCode where the catalogue has one, else a word for what happened
 * to the work itself: HEARTBEAT_TIMEOUT, TIMEOUT, CANCELLED, TERMINATED, or the name of the error.
 */
export interface Failure {
  code: string;
  /** One line; for codes of the catalogue it ends with what to do. */
  message: string;
  retryable: boolean;
  /** What the failure carries for the code that handles it, see TidegateError. */
  details?: unknown;
}

/** The parts of Temporal's failure classes that are read here; core knows them by shape, not by import. */
interface TemporalShape {
  name?: string;
  message?: string;
  type?: string | null;
  nonRetryable?: boolean | null;
  details?: unknown[] | null;
  timeoutType?: string;
  activityType?: string;
  workflowType?: string;
  cause?: unknown;
}

/**
 * Reads anything thrown by an activity, a child workflow or a client's wait for a workflow. Their wrappers
 * (ActivityFailure, ChildWorkflowFailure, WorkflowFailedError) are looked through.
 */
export function failureOf(error: unknown): Failure {
  const shape = (error ?? {}) as TemporalShape;
  switch (shape.name) {
    case 'ActivityFailure':
    case 'ChildWorkflowFailure':
    case 'WorkflowFailedError':
    case 'WorkflowUpdateFailedError':
      return shape.cause === undefined ? plainFailure(error) : failureOf(shape.cause);
    case 'ApplicationFailure':
      return applicationFailure(shape);
    case 'TimeoutFailure':
      return timeoutFailure(shape);
    case 'CancelledFailure':
      return { code: 'CANCELLED', message: 'It was cancelled by an operator.', retryable: false };
    case 'TerminatedFailure':
      return { code: 'TERMINATED', message: 'It was terminated by an operator.', retryable: false };
    case 'WorkflowExecutionAlreadyStartedError':
      return {
        code: 'ALREADY_RUNNING',
        message: `A ${shape.workflowType} with this id already runs.`,
        retryable: true,
      };
    default:
      return plainFailure(error);
  }
}

/** True for a code that the catalogue has. */
export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERROR_CATALOGUE, code);
}

/** The catalogue's codes that no retry cures, in the form that Temporal's retry policies take. */
export const NON_RETRYABLE_CODES: string[] = Object.entries(ERROR_CATALOGUE)
  .filter(([, { retryable }]) => !retryable)
  .map(([code]) => code);

function applicationFailure({ type, message = '', nonRetryable, details }: TemporalShape): Failure {
  const code = type || 'UNKNOWN';
  // The message of a catalogue failure is its whole line; the code in front of it would be said twice.
  const text = message.startsWith(`${code}: `) ? message.slice(code.length + 2) : message;
  const retryable = isErrorCode(code) ? ERROR_CATALOGUE[code].retryable : nonRetryable !== true;
  return { code, message: messageOf(text), retryable, ...(details?.[0] !== undefined && { details: details[0] }) };
}

function timeoutFailure({ timeoutType, cause }: TemporalShape): Failure {
  if (timeoutType === 'HEARTBEAT') {
    return {
      code: 'HEARTBEAT_TIMEOUT',
      message: 'The worker that ran it no longer answers (no heartbeat).',
      retryable: true,
    };
  }
  const last = cause === undefined ? '' : ` Its last failure: ${failureOf(cause).message}`;
  return { code: 'TIMEOUT', message: `It took longer than it may.${last}`, retryable: true };
}

function plainFailure(error: unknown): Failure {
  const code = error instanceof Error ? error.name : 'UNKNOWN';
  return { code, message: messageOf(error), retryable: true };
}
