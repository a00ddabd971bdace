import { createRemoteJWKSet, errors, type JWTPayload, jwtVerify } from 'jose';
import { messageOf } from '../core/errors.ts';
import { ProblemError } from './problems.ts';

/** Signatures with a private key only: with a shared secret, the provider's public key would pass for one. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];
const LONGEST_TOKEN = 8192;
const TIMEOUT_MS = 3000;
/** How far the clocks of provider and service may be apart. */
const TOLERANCE_S = 5;
/** So soon after the keys were read, a token of an unknown key does not make them be read again. */
const COOLDOWN_MS = 5000;

/**
 * The user that an Authorization header proves, as digits.
 * @throws ProblemError 401 for whatever is wrong with the token, in the same words; 503 while the provider's keys cannot be read.
 */
export type Authenticate = (authorization: string | undefined) => Promise<string>;

/** @param options.claim of the token, holds the user: a positive whole number. */
export function openAuthenticator(options: {
  issuer: URL;
  audience: string;
  claim: string;
  cooldownMs?: number;
}): Authenticate {
  const { audience, claim, cooldownMs: cooldownDuration = COOLDOWN_MS } = options;
  // As the provider writes it: an issuer without a path has no slash at its end.
  const issuer = options.issuer.href.replace(/\/$/, '');
  let opened: Promise<ReturnType<typeof createRemoteJWKSet>> | undefined;
  const open = async () => {
    const keysUrl = await discoverKeys(issuer);
    return createRemoteJWKSet(keysUrl, { timeoutDuration: TIMEOUT_MS, cooldownDuration });
  };
  const keyOf: Parameters<typeof jwtVerify>[1] = async (header, token) => {
    try {
      opened ??= open();
      const keys = await opened.catch((error: unknown) => {
        // The next token asks the provider again.
        opened = undefined;
        throw error;
      });
      return await keys(header, token);
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) throw error;
      throw keysUnavailable(error);
    }
  };
  return async (authorization) => {
    const token = /^Bearer +([\w.~+/-]+=*) *$/i.exec(authorization ?? '')?.[1];
    if (token === undefined) throw refused(authorization === undefined ? 'no token' : 'not a bearer token');
    if (token.length > LONGEST_TOKEN) throw refused('token too long');
    try {
      const { payload } = await jwtVerify(token, keyOf, {
        ...{ issuer: [issuer, `${issuer}/`], audience, algorithms: ALGORITHMS, clockTolerance: TOLERANCE_S },
        requiredClaims: ['exp'],
      });
      return userOf(payload, claim);
    } catch (error) {
      if (error instanceof ProblemError) throw error;
      throw refused(error instanceof errors.JOSEError ? error.code : 'not readable');
    }
  };
}

function userOf(payload: JWTPayload, claim: string): string {
  const value = payload[claim];
  const user = typeof value === 'string' || Number.isSafeInteger(value) ? String(value) : '';
  if (!/^[1-9]\d{0,17}$/.test(user)) throw refused(`no user in '${claim}'`);
  return user;
}

/** Where the provider publishes its keys. */
async function discoverKeys(issuer: string): Promise<URL> {
  const answer = await fetch(`${issuer}/.well-known/openid-configuration`, {
    redirect: 'error',
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (!answer.ok) throw new Error(`discovery answered ${answer.status}`);
  const found = (await answer.json()) as { issuer?: unknown; jwks_uri?: unknown };
  if (String(found.issuer).replace(/\/$/, '') !== issuer) throw new Error('discovery names another issuer');
  return new URL(String(found.jwks_uri));
}

function refused(reason: string): ProblemError {
  const error = reason === 'no token' ? '' : ', error="invalid_token"';
  return new ProblemError(401, {
    detail: 'A valid access token is needed.',
    reason,
    headers: { 'www-authenticate': `Bearer realm="reports"${error}` },
  });
}

function keysUnavailable(error: unknown): ProblemError {
  return new ProblemError(503, {
    detail: 'Logins cannot be checked at the moment.',
    reason: `keys: ${messageOf(error)}`,
    headers: { 'retry-after': '5' },
  });
}
