import { join } from 'node:path';
import type { Definitions } from '../../adapters/definitions.ts';
import type { Account } from '../../pipelines/generator.ts';
import { type FoundReport, findReport, reportNames } from '../../server/findReport.ts';
import { login } from '../../stack/services/login.ts';
import { report } from '../../stack/services/report.ts';
import type { RunningStack } from '../../stack/stack.ts';

const CLIENT = 'tidegate-report-page';
const AUDIENCE = 'tidegate-report';

/** The report that is served locally: that of the first pipeline, of those started, that has one. */
export async function chooseReport(
  definitions: Definitions,
  pipelines: readonly { pipeline: { name: string } }[],
): Promise<FoundReport | undefined> {
  const withReport = reportNames(definitions);
  const chosen = pipelines.find(({ pipeline }) => withReport.includes(pipeline.name));
  return chosen && (await findReport(definitions, chosen.pipeline.name));
}

/** Starts the report service and a login provider for it. Returns what a person needs to look at a report. */
export async function startReport(
  stack: RunningStack,
  { found, accounts }: { found: FoundReport; accounts: readonly Account[] },
): Promise<string[]> {
  const [port, loginPort] = [await stack.claimPort('report'), await stack.claimPort('login')];
  const [url, issuer] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${loginPort}`];
  const password = stack.secret('report_users');
  const people = accounts.map((account) => ({ ...account, password }));
  const client = { clientId: CLIENT, redirectUri: `${url}/`, audience: AUDIENCE };
  await stack.run(login({ port: loginPort, ...client, accounts: people }));
  const settings = { REPORT_OIDC_ISSUER: issuer, REPORT_OIDC_AUDIENCE: AUDIENCE, REPORT_OIDC_CLIENT_ID: CLIENT };
  const { CLICKHOUSE_URL = '', CLICKHOUSE_REPORT_USER = '', CLICKHOUSE_REPORT_PASSWORD = '' } = stack.env;
  await stack.run(
    report(found.pipeline.name, {
      ...settings,
      ...{ CLICKHOUSE_URL, CLICKHOUSE_REPORT_USER, CLICKHOUSE_REPORT_PASSWORD, REPORT_PORT: String(port) },
      // Without the stack's own settings, so that the service knows no source and no other account.
      TIDEGATE_HOME: join(stack.home, 'run'),
    }),
  );
  stack.publish({ ...settings, REPORT_URL: url, REPORT_USERS_PASSWORD: password });
  const names = people.map(({ username }) => username).join(' or ');
  return [`${found.report.title}  ${url}  (log in as ${names}, password ${password})`];
}
