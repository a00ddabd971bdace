import { readFileSync } from 'node:fs';
import type { FastifyInstance } from 'fastify';
import type { Report } from '../pipelines/report.ts';

/** Where the page's readers log in: a provider of OIDC, and the public client that the page is to it. */
export interface PageLogin {
  issuer: URL;
  clientId: string;
}

const FILES = {
  '/': { file: 'index.html', type: 'text/html; charset=utf-8' },
  '/report.css': { file: 'report.css', type: 'text/css; charset=utf-8' },
  '/report.js': { file: 'report.js', type: 'text/javascript; charset=utf-8' },
  '/charts.js': { file: 'charts.js', type: 'text/javascript; charset=utf-8' },
  '/login.js': { file: 'login.js', type: 'text/javascript; charset=utf-8' },
} as const;

/** The page that shows a reader their own report. It asks the API as any other client does. */
export function addPage(app: FastifyInstance, { report, login }: { report: Report; login: PageLogin }): void {
  const { title, item, columns, charts } = report;
  const about = {
    title,
    item,
    columns,
    charts,
    issuer: login.issuer.href.replace(/\/$/, ''),
    clientId: login.clientId,
  };
  const schema = { hide: true };
  for (const [url, { file, type }] of Object.entries(FILES)) {
    const text = readFileSync(new URL(`page/${file}`, import.meta.url), 'utf8');
    app.get(url, { schema }, (_request, reply) => reply.type(type).header('cache-control', 'no-cache').send(text));
  }
  app.get('/about.json', { schema }, () => about);
}
