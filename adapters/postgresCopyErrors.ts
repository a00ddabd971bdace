import { messageOf, TidegateError } from '../core/errors.ts';

/** SQLSTATE: the role lacks a privilege, or a row-level policy would hide rows from it. */
const INSUFFICIENT_PRIVILEGE = '42501';
/** SQLSTATE classes and codes after which asking again is of no use: the statement does not fit the source. */
const NOT_FITTING = /^(42|0A|3F)/;

/** The catalogue's error for what a statement on the source threw. */
export function sourceError(cause: unknown): TidegateError {
  if (cause instanceof TidegateError) return cause;
  const code = (cause as { code?: string }).code ?? '';
  const says = messageOf(cause);
  if (code === INSUFFICIENT_PRIVILEGE) {
    return new TidegateError('ACCESS_DENIED', `PostgreSQL refused to be read: ${says}`, {
      remedy: 'Grant the capture role SELECT on the table, and BYPASSRLS when the table has row-level policies.',
      cause,
    });
  }
  if (NOT_FITTING.test(code)) {
    return new TidegateError('SOURCE_NOT_READY', `PostgreSQL refused the statement: ${says}`, {
      remedy: 'The table may have been changed or dropped meanwhile: compare it with the definition.',
      cause,
    });
  }
  return new TidegateError('SERVICE_UNREACHABLE', `PostgreSQL broke the connection or the statement off: ${says}`, {
    remedy: 'Look at the log of the source; the work is started again.',
    cause,
  });
}

/** Runs work on the source so that it throws errors of the catalogue only. */
export async function guarded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw sourceError(error);
  }
}
