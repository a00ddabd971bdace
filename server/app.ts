import { randomUUID } from 'node:crypto';
import helmet from '@fastify/helmet';
import rateLimit from '@fastify/rate-limit';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import { fastify } from 'fastify';
import {
  hasZodFastifySchemaValidationErrors,
  jsonSchemaTransform,
  serializerCompiler,
  validatorCompiler,
} from 'fastify-type-provider-zod';
import { messageOf, TidegateError } from '../core/errors.ts';
import { type AccessLine, guard, limitKey, newAccess, reasonOf } from './access.ts';
import type { Authenticate } from './authenticate.ts';
import type { FoundReport } from './findReport.ts';
import { addPage, type PageLogin } from './page.ts';
import { ProblemError, problemOf } from './problems.ts';
import { addReportRoutes } from './reportRoutes.ts';
import type { ReportStore } from './reportStore.ts';

/** Requests a minute: of one user, and of one address without a valid token, the page included. */
export const LIMITS = { user: 240, address: 600 };

/** Swagger's page has styles of its own in it. */
const DOCS_POLICY = `default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;
  connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`.replaceAll(/\s+/g, ' ');

/** The report service, ready to listen. */
export async function buildApp(options: {
  found: FoundReport;
  store: ReportStore;
  authenticate: Authenticate;
  login: PageLogin;
  /** Gets a line for every request for data. */
  note: (line: AccessLine) => void;
  /** Gets a line for every failure that is not the reader's. */
  log: (line: string) => void;
  limits?: typeof LIMITS;
}) {
  const { found, store, authenticate, login, note, log, limits = LIMITS } = options;
  const app = fastify({
    bodyLimit: 1024,
    requestTimeout: 30_000,
    genReqId: () => randomUUID(),
    forceCloseConnections: 'idle',
    // No header may say from where a request comes.
    trustProxy: false,
  });
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.decorateRequest('access');
  app.addHook('onRequest', async (request) => {
    request.access = newAccess();
  });
  // A connection that is kept open would keep the service from ending.
  let closing = false;
  app.addHook('preClose', async () => {
    closing = true;
  });
  app.addHook('onSend', async (_request, reply) => {
    if (closing) reply.header('connection', 'close');
  });
  app.setErrorHandler((error, request, reply) => {
    const refusal = refusalOf(error);
    if (refusal.problem.status >= 500) log(`${request.method} ${request.routeOptions.url}: ${messageOf(error)}`);
    request.access.reason = refusal.reason;
    return reply
      .code(refusal.problem.status)
      .headers(refusal.headers)
      .header('content-type', 'application/problem+json')
      .serializer(JSON.stringify)
      .send(refusal.problem);
  });
  app.setNotFoundHandler((_request, reply) => {
    const detail = 'There is nothing here. The API is described at /docs.';
    return reply.code(404).type('application/problem+json').serializer(JSON.stringify).send(problemOf(404, detail));
  });

  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        ...{ defaultSrc: ["'none'"], scriptSrc: ["'self'"], styleSrc: ["'self'"], imgSrc: ["'self'", 'data:'] },
        ...{ connectSrc: ["'self'", login.issuer.origin], baseUri: ["'none'"], formAction: ["'none'"] },
        frameAncestors: ["'none'"],
      },
    },
    referrerPolicy: { policy: 'no-referrer' },
  });
  await app.register(rateLimit, {
    // After the token has been read, before it is answered.
    hook: 'preParsing',
    timeWindow: 60_000,
    max: (request) => (request.access.user === null ? limits.address : limits.user),
    keyGenerator: limitKey,
  });
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: found.report.title, version: '1', description: found.report.description },
      components: {
        securitySchemes: {
          bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'An access token of OIDC.' },
        },
      },
    },
    transform: jsonSchemaTransform,
  });
  await app.register(swaggerUi, { routePrefix: '/docs', staticCSP: DOCS_POLICY });
  addPage(app, { report: found.report, login });
  app.get('/health', { schema: { hide: true } }, async () => {
    await store.ping();
    return { ok: true };
  });
  await app.register(
    async (api) => {
      guard(api, { authenticate, note });
      addReportRoutes(api, { store, found });
    },
    { prefix: '/api' },
  );
  return app;
}

/** What a reader is told of an error; of one that is ours, nothing but that. */
function refusalOf(error: unknown): ProblemError {
  if (error instanceof ProblemError) return error;
  const reason = reasonOf(error);
  if (hasZodFastifySchemaValidationErrors(error)) {
    const errors = error.validation.map(({ instancePath, message, params }) => ({
      parameter: instancePath.slice(1).replaceAll('/', '.') || unknownNames(params),
      message: message ?? 'is wrong',
    }));
    const detail = errors.map(({ parameter, message }) => `${parameter}: ${message}`).join('; ');
    return new ProblemError(400, { detail, errors, reason: 'bad parameters' });
  }
  const status = (error as { statusCode?: number }).statusCode ?? 500;
  if (status === 429) return new ProblemError(429, { detail: 'Too many requests. Try again in a minute.', reason });
  if (status >= 400 && status < 500)
    return new ProblemError(status, { detail: 'The request is not understood.', reason });
  const away = error instanceof TidegateError || (error instanceof Error && error.name === 'TimeoutError');
  if (!away) return new ProblemError(500, { detail: 'The service failed. Its log says why.', reason });
  const headers = { 'retry-after': '5' };
  return new ProblemError(503, { detail: 'The data cannot be reached at the moment.', reason, headers });
}

function unknownNames(params: unknown): string {
  const { keys } = params as { keys?: string[] };
  return keys?.join(', ') ?? 'query';
}
