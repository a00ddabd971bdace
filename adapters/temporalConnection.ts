import type { ConnectionLike } from '@temporalio/client';
import { messageOf, TidegateError } from '../core/errors.ts';
import { SEARCH_ATTRIBUTES } from '../core/names.ts';
import type { Environment } from './environment.ts';

/** Where Temporal is. Clients and workers connect by different libraries, from the same settings. */
export interface TemporalSettings {
  address: string;
  namespace: string;
  /** For Temporal Cloud; a connection with a key is encrypted. */
  apiKey: string | undefined;
}

/** @throws TidegateError INVALID_SETTING when TEMPORAL_ADDRESS is missing. */
export function temporalSettings(environment: Environment): TemporalSettings {
  return {
    address: environment.required('TEMPORAL_ADDRESS'),
    namespace: environment.optional('TEMPORAL_NAMESPACE') ?? 'default',
    apiKey: environment.optional('TEMPORAL_API_KEY'),
  };
}

/** The options that both libraries take. */
export function connectionOptions({ address, apiKey }: TemporalSettings): {
  address: string;
  apiKey?: string;
  tls?: true;
} {
  return apiKey === undefined ? { address } : { address, apiKey, tls: true };
}

export function temporalUnreachable({ address }: TemporalSettings, cause: unknown): TidegateError {
  const said = messageOf(cause);
  // The worker's native library prints its whole chain of errors; the operating system's own words are in it.
  const why = /message: "([^"]+)"/.exec(said)?.[1] ?? said;
  return new TidegateError('SERVICE_UNREACHABLE', `Temporal does not answer at ${address} (${why})`, {
    remedy: "Start the local stack with 'npm start', or correct TEMPORAL_ADDRESS.",
    cause,
  });
}

/** Temporal's number for attributes of the type Keyword. */
const KEYWORD = 2;

/**
 * Registers the search attributes that the workflows set, where they are missing. A namespace that does not allow it
 * (Temporal Cloud) has to be given them by its administrator: the error says so.
 * @throws TidegateError ACCESS_DENIED when it is not allowed.
 */
export async function ensureSearchAttributes(connection: ConnectionLike, namespace: string): Promise<void> {
  const wanted = Object.values(SEARCH_ATTRIBUTES);
  try {
    const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
    const missing = wanted.filter((name) => customAttributes[name] === undefined);
    if (missing.length === 0) return;
    const searchAttributes = Object.fromEntries(missing.map((name) => [name, KEYWORD]));
    await connection.operatorService.addSearchAttributes({ namespace, searchAttributes });
  } catch (cause) {
    throw new TidegateError('ACCESS_DENIED', `search attributes cannot be registered (${messageOf(cause)})`, {
      remedy: `Register ${wanted.join(', ')} as Keyword in the namespace '${namespace}'.`,
      cause,
    });
  }
}
