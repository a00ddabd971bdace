import { randomInt } from 'node:crypto';
import { createSource } from '../createSource.ts';
import type { Account, CreateOptions, SourceGenerator } from '../generator.ts';
import { runTraffic } from '../traffic.ts';
import { crmTables, DEFAULT_ROWS, prosthesesFor } from './data.ts';
import { liveTelemetry, sendHistory } from './telemetry.ts';
import { clinicTraffic } from './traffic.ts';

/** `rows` is the number of telemetry events of the first load, about. */
export const generator: SourceGenerator = {
  database: 'crm_db',

  async create(options) {
    const { owner, capture, ...filled } = await createSource(options, {
      schema: new URL('source.sql', import.meta.url),
      tables: crmTables({ rows: options.rows ?? DEFAULT_ROWS, seed: options.seed }),
    });
    const env = { CRM_DATABASE_URL: owner.href, CRM_CAPTURE_URL: capture.href };
    return { env, ...filled, accounts: await firstUsers(options, owner) };
  },

  sendEvents: (options) => sendHistory(options, prosthesesFor(options.rows ?? DEFAULT_ROWS)),

  async traffic(options) {
    const seed = options.seed ?? randomInt(2 ** 32);
    const { events } = options;
    const running = [runTraffic(options, clinicTraffic(seed))] as const;
    if (!events) return await running[0];
    const prostheses = prosthesesFor(options.rows ?? DEFAULT_ROWS);
    const [changes] = await Promise.all([...running, liveTelemetry({ ...options, events }, { prostheses, seed })]);
    return changes;
  },
};

/** Two of the generated users, who can log in locally and see their own reports. */
async function firstUsers({ open }: CreateOptions, owner: URL): Promise<Account[]> {
  const client = await open(owner);
  try {
    const { rows } = await client.query<{ user_id: number; user_email: string; user_name: string }>(
      'SELECT user_id, user_email, user_name FROM users WHERE user_id <= 2 ORDER BY user_id',
    );
    return rows.map((row) => ({
      username: row.user_email,
      claims: { user_id: String(row.user_id), email: row.user_email, name: row.user_name },
    }));
  } finally {
    await client.end();
  }
}
