/** What went wrong with the local stack and what to do about it, in words for the person at the terminal. */
export class StackError extends Error {
  override readonly name = 'StackError';
}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(messageOf).join('; ');
  return error instanceof Error ? error.message : String(error);
}
