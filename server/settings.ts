import { ClickHouse } from '../adapters/clickhouse.ts';
import type { Environment } from '../adapters/environment.ts';
import { TidegateError } from '../core/errors.ts';

/** What the service reads from the environment; .env.example describes each. */
export interface ReportSettings {
  host: string;
  port: number;
  issuer: URL;
  audience: string;
  clientId: string;
}

const LOOPBACK = ['127.0.0.1', '[::1]', 'localhost'];

/** @throws TidegateError INVALID_SETTING */
export function readSettings(environment: Environment): ReportSettings {
  const invalid = (what: string, remedy: string) => new TidegateError('INVALID_SETTING', what, { remedy });
  const port = Number(environment.optional('REPORT_PORT') ?? 8090);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw invalid('REPORT_PORT is not a port', 'Give it a number from 1 to 65535.');
  }
  const issuer = environment.url('REPORT_OIDC_ISSUER');
  // Whoever can change what the provider answers can sign tokens for anybody.
  if (issuer.protocol !== 'https:' && !(issuer.protocol === 'http:' && LOOPBACK.includes(issuer.hostname))) {
    throw invalid('REPORT_OIDC_ISSUER is not an https URL', 'Only a provider on this machine may be asked by http.');
  }
  return {
    ...{ host: environment.optional('REPORT_HOST') ?? '127.0.0.1', port, issuer },
    audience: environment.required('REPORT_OIDC_AUDIENCE'),
    clientId: environment.required('REPORT_OIDC_CLIENT_ID'),
  };
}

/** ClickHouse as the service's own account, which may read its mart and change nothing, no setting either. */
export function openReportClickHouse(environment: Environment): ClickHouse {
  return new ClickHouse({
    url: environment.url('CLICKHOUSE_URL'),
    user: environment.required('CLICKHOUSE_REPORT_USER'),
    password: environment.required('CLICKHOUSE_REPORT_PASSWORD'),
    fixedSettings: true,
  });
}
