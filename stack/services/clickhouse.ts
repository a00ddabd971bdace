import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stackFailed } from '../error.ts';
import { writeFileAtomically } from '../files.ts';
import { loadSecret } from '../home.ts';
import type { Service, ServiceContext } from '../service.ts';

const server = fileURLToPath(new URL('../clickhouse/main.ts', import.meta.url));
const writer = 'tidegate';
const reader = 'tidegate_reader';
const report = 'tidegate_report';
/** As deploy/clickhouse/roles.sql has them. The account may change none, so what its answers need is among them. */
const reportSettings = {
  max_execution_time: 10,
  max_memory_usage: 1_000_000_000,
  max_result_rows: 100_000,
  max_threads: 2,
  output_format_json_quote_64bit_integers: 1,
};

/** ClickHouse's engine behind the HTTP server in stack/clickhouse. */
export const clickhouse: Service = {
  name: 'clickhouse',
  missingTools: async () => [],
  ending: [{ signal: 'SIGTERM', graceMs: 20_000 }],

  async prepare({ home, ports, credentials, reportGrants }) {
    if (!existsSync(server))
      throw stackFailed('stack/clickhouse/main.ts is missing', 'Restore it from the repository.');
    const users = join(home.config, 'clickhouse-users.json');
    // Of ClickHouse's two kinds of read-only, 2 lets a query choose settings, such as how 64-bit numbers are written.
    const list = [
      { name: writer, password: credentials.clickhousePassword },
      { name: reader, password: credentials.clickhouseReaderPassword, readonly: 2 },
      {
        ...{ name: report, password: loadSecret(home, report) },
        ...{ readonly: 1, settings: reportSettings, grants: reportGrants },
      },
    ];
    writeFileAtomically(users, `${JSON.stringify(list, null, 2)}\n`, 0o600);
    const path = join(home.data, 'clickhouse');
    const args = [server, '--path', path, '--port', String(ports.clickhouse), '--users', users];
    return { file: process.execPath, args };
  },

  async check(context) {
    const ping = await fetch(`${url(context)}/ping`, { signal: AbortSignal.timeout(5000) });
    if (!ping.ok) throw new Error(`GET /ping answered ${ping.status}`);
    const answer = await fetch(url(context), {
      method: 'POST',
      body: 'SELECT 1',
      headers: {
        'X-ClickHouse-User': writer,
        'X-ClickHouse-Key': context.credentials.clickhousePassword,
      },
      signal: AbortSignal.timeout(10_000),
    });
    const text = await answer.text();
    if (text.trim() !== '1') throw new Error(`SELECT 1 answered ${answer.status}: ${text.slice(0, 200)}`);
  },

  env: (context) => ({
    CLICKHOUSE_URL: url(context),
    CLICKHOUSE_USER: writer,
    CLICKHOUSE_PASSWORD: context.credentials.clickhousePassword,
    CLICKHOUSE_READER_USER: reader,
    CLICKHOUSE_READER_PASSWORD: context.credentials.clickhouseReaderPassword,
    CLICKHOUSE_REPORT_USER: report,
    CLICKHOUSE_REPORT_PASSWORD: loadSecret(context.home, report),
  }),
};

function url({ ports }: Pick<ServiceContext, 'ports'>): string {
  return `http://127.0.0.1:${ports.clickhouse}`;
}
