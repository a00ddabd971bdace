import { messageOf, TidegateError } from '../core/errors.ts';

/** The local stack cannot do what it was asked; the remedy is for the person at the terminal. */
export function stackFailed(what: string, remedy: string): TidegateError {
  return new TidegateError('STACK_FAILED', what, { remedy });
}

/** One line with the remedy; below it, indented, the log lines that the message may carry. */
export function describeFailure(error: unknown): string {
  if (!(error instanceof TidegateError)) return messageOf(error);
  const [first = '', ...log] = error.message.split('\n');
  return [`${error.code}: ${first}. ${error.remedy}`, ...log].join('\n');
}
