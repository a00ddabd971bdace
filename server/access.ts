import type { FastifyInstance, FastifyRequest } from 'fastify';
import { messageOf } from '../core/errors.ts';
import type { Authenticate } from './authenticate.ts';
import { ProblemError } from './problems.ts';

declare module 'fastify' {
  interface FastifyRequest {
    access: Access;
  }
}

/** What is noted of a request for data. */
interface Access {
  /** When the request came, as performance.now() counts. */
  since: number;
  user: string | null;
  /** Why the token was refused; it is said after the request has been counted by the rate limit. */
  fault: unknown;
  /** What was asked for, once it is known to be well-formed. */
  asked: Record<string, unknown>;
  rows: number | null;
  reason: string | null;
}

/** One line for every request for data, answered or refused. It holds no token and no data. */
export interface AccessLine {
  time: string;
  access: string;
  user: string | null;
  address: string;
  status: number;
  rows: number | null;
  milliseconds: number;
  request: string;
  reason?: string;
}

/** Lets requests with a valid token pass, and notes each; for the routes of `app`'s own context. */
export function guard(
  app: FastifyInstance,
  { authenticate, note }: { authenticate: Authenticate; note: (line: AccessLine) => void },
): void {
  app.addHook('onRequest', async (request) => {
    try {
      request.access.user = await authenticate(request.headers.authorization);
    } catch (error) {
      request.access.fault = error;
    }
  });
  // The rate limit counts in between, by user or address.
  app.addHook('preValidation', async ({ access }) => {
    if (access.fault) throw access.fault;
  });
  // Noted before the first byte leaves, so that nothing is read unnoticed.
  app.addHook('onSend', async (request, reply) => {
    const { since, user, asked, rows, reason } = request.access;
    const milliseconds = Math.round(performance.now() - since);
    note({
      ...{ time: new Date().toISOString(), access: request.routeOptions.schema?.operationId ?? '', user },
      ...{ address: request.ip, ...asked, status: reply.statusCode, rows, milliseconds },
      ...{ request: request.id, ...(reason !== null && { reason }) },
    });
    reply.header('cache-control', 'no-store');
  });
}

export function newAccess(): Access {
  return { since: performance.now(), user: null, fault: undefined, asked: {}, rows: null, reason: null };
}

/** By whom requests are counted. */
export function limitKey(request: FastifyRequest): string {
  return request.access.user === null ? `address ${request.ip}` : `user ${request.access.user}`;
}

/** What the access line says of an error. */
export function reasonOf(error: unknown): string {
  return error instanceof ProblemError ? error.reason : messageOf(error);
}
