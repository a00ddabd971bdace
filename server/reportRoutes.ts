import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { toCsv } from './csv.ts';
import { writeCursor } from './cursor.ts';
import type { FoundReport } from './findReport.ts';
import { ProblemError } from './problems.ts';
import type { Period, ReportStore } from './reportStore.ts';
import { periodQuery, problem, processedAnswer, reportsAnswer, reportsQuery } from './schemas.ts';

const problems = (what: string) => ({
  description: what,
  content: { 'application/problem+json': { schema: problem } },
});
const REFUSALS = {
  400: problems('A parameter is wrong or unknown.'),
  401: problems('There is no valid access token.'),
  429: problems('Too many requests.'),
  503: problems('The data, or the keys of the login provider, cannot be reached.'),
};
const security = [{ bearer: [] }];

/** The two questions that a user may ask. Whose data it is comes from the token alone. */
export function addReportRoutes(
  app: FastifyInstance,
  { store, found: { report } }: { store: ReportStore; found: FoundReport },
): void {
  const typed = app.withTypeProvider<ZodTypeProvider>();

  typed.route({
    method: 'GET',
    url: '/isDataProcessedForPeriod',
    schema: {
      operationId: 'isDataProcessedForPeriod',
      summary: 'Whether all input of a period has landed and been merged',
      security,
      querystring: periodQuery,
      response: { 200: processedAnswer, ...REFUSALS },
    },
    handler: async (request) => {
      const { from, to } = request.query;
      request.access.asked = { from, to };
      const unprocessedDays = await store.unprocessedDays({ from, to });
      return { from, to, processed: unprocessedDays.length === 0, unprocessedDays };
    },
  });

  typed.route({
    method: 'GET',
    url: '/getReportsForUser',
    schema: {
      operationId: 'getReportsForUser',
      summary: 'Your own reports of a period, by day',
      description: `${report.description} A Link header (rel="next") leads to the next page, in CSV too.`,
      security,
      querystring: reportsQuery,
      response: {
        200: {
          description: 'A page of the report.',
          content: {
            'application/json': { schema: reportsAnswer(report) },
            'text/csv': { schema: z.string() },
          },
        },
        409: problems('The period is not processed; `days` names the days that are not.'),
        ...REFUSALS,
      },
    },
    handler: async (request, reply) => {
      const { from, to, format, limit, cursor } = request.query;
      request.access.asked = { from, to, format };
      // Asked before the rows are read: whatever is merged meanwhile is only newer.
      requireProcessed({ from, to }, await store.unprocessedDays({ from, to }));
      const user = request.access.user as string;
      const { rows, next } = await store.page({ user, period: { from, to }, after: cursor, limit });
      request.access.rows = rows.length;
      const nextCursor = next ? writeCursor(next) : null;
      if (nextCursor !== null) {
        const query = new URLSearchParams({ from, to, format, limit: String(limit), cursor: nextCursor });
        reply.header('link', `<?${query}>; rel="next"`);
      }
      if (format === 'json') return { from, to, items: rows, nextCursor };
      reply.header('content-disposition', `attachment; filename="reports_${from}_${to}.csv"`);
      return reply.type('text/csv; charset=utf-8').send(toCsv(Object.keys(report.columns), rows));
    },
  });
}

function requireProcessed({ from, to }: Period, days: string[]): void {
  if (days.length === 0) return;
  throw new ProblemError(409, {
    detail: `The period from ${from} to ${to} is not processed yet: ${days.length} of its days are not.`,
    days,
    reason: 'not processed',
  });
}
