#!/usr/bin/env node
import { parseArgs } from 'node:util';
import { loadDefinitions } from '../adapters/definitions.ts';
import { loadEnvironment } from '../adapters/environment.ts';
import { runProgram } from '../adapters/program.ts';
import { TidegateError } from '../core/errors.ts';
import { buildApp } from './app.ts';
import { openAuthenticator } from './authenticate.ts';
import { findReport, reportNames } from './findReport.ts';
import { ReportStore } from './reportStore.ts';
import { openReportClickHouse, readSettings } from './settings.ts';

const help = `Usage: npm run report [-- pipeline]

Serves the report of a pipeline (default: the only one that has a report.ts) until Ctrl-C: a page, an API with its
description at /docs, and a line on stdout for every request for data. .env.example lists the settings.

Options:
  --debug       print stack traces of errors
  --help        print this
`;

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { debug: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } },
  });
  if (values.help) {
    process.stdout.write(help);
    return;
  }
  const environment = loadEnvironment();
  const definitions = await loadDefinitions(environment.pipelineFolders);
  const found = await findReport(definitions, choose(positionals, reportNames(definitions)));
  const { host, port, issuer, audience, clientId } = readSettings(environment);
  const clickhouse = openReportClickHouse(environment);
  const app = await buildApp({
    found,
    store: new ReportStore(clickhouse, found),
    authenticate: openAuthenticator({ issuer, audience, claim: found.report.user.claim }),
    login: { issuer, clientId },
    note: (line) => console.log(JSON.stringify(line)),
    log: (line) => console.error(`${new Date().toISOString()} ${line}`),
  });
  const stopped = stopSignal();
  const address = await app.listen({ host, port });
  console.error(`report: ${found.report.title} at ${address}`);
  await stopped;
  // Requests under way are answered first.
  await app.close();
  await clickhouse.close();
}

function choose(asked: readonly string[], names: readonly string[]): string {
  const [name] = asked.length > 0 ? asked : names;
  if (name !== undefined && (asked.length === 1 || names.length === 1)) return name;
  throw new TidegateError('INVALID_SETTING', 'one pipeline with a report is to be named', {
    remedy: `These have one: ${names.join(', ') || 'none'}.`,
  });
}

function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => resolve());
  });
}

await runProgram(main, { name: 'report' });
