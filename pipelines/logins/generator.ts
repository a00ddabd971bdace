import { randomInt } from 'node:crypto';
import { createSource } from '../createSource.ts';
import type { SourceGenerator } from '../generator.ts';
import { Random } from '../random.ts';
import { runTraffic, type TrafficWork } from '../traffic.ts';
import { DEFAULT_ROWS, loginsTable, Visitors } from './data.ts';

/** The role that relays, see source.sql. */
const RELAY_ROLE = 'logins_relay';
/** Names that the traffic chooses from. */
const MOST = 10_000;

/** People who log in and out; now and then several at once, in one transaction. */
function visits(seed: number): TrafficWork<Visitors> {
  const random = new Random(seed);
  return {
    async begin(client) {
      const { rows } = await client.query<{ username: string }>(
        `SELECT DISTINCT username FROM user_logins ORDER BY username LIMIT ${MOST}`,
      );
      const names = rows.map(({ username }) => username);
      return new Visitors(names.length > 0 ? names : ['first.1'], seed);
    },

    async transaction(client, visitors) {
      const events = Array.from({ length: random.chance(0.1) ? random.between(2, 5) : 1 }, () => visitors.next());
      const { rowCount } = await client.query(
        'INSERT INTO user_logins (username, event_type) SELECT * FROM unnest($1::text[], $2::text[])',
        [events.map(({ username }) => username), events.map(({ event }) => event)],
      );
      return { inserted: rowCount ?? 0, updated: 0, deleted: 0 };
    },
  };
}

/** `rows` is the number of rows of user_logins, none of them sent. */
export const generator: SourceGenerator = {
  database: 'test_db',

  async create(options) {
    const { owner, capture, ...filled } = await createSource(options, {
      schema: new URL('source.sql', import.meta.url),
      tables: [loginsTable({ rows: options.rows ?? DEFAULT_ROWS, seed: options.seed })],
    });
    const relay = new URL(capture);
    relay.username = RELAY_ROLE;
    return { env: { LOGINS_DATABASE_URL: owner.href, LOGINS_RELAY_URL: relay.href }, ...filled };
  },

  traffic: (options) => runTraffic(options, visits(options.seed ?? randomInt(2 ** 32))),
};
