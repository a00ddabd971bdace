import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import pg from 'pg';
import { dashboard } from '../../pipelines/logins/dashboard.ts';
import { Home } from './command.ts';

describe('an outbox as its operator sees it', { concurrency: false }, () => {
  const home = new Home();
  let source: pg.Client;

  before(async () => {
    await home.startUntil(
      'npm start --silent -- --only logins --rows 3000 --ports auto --traffic 0',
      'Everything streams',
    );
    source = new pg.Client({ connectionString: home.settings()['LOGINS_DATABASE_URL'] as string });
    await source.connect();
  });
  after(async () => {
    await source?.end();
    await home[Symbol.asyncDispose]();
  });

  const logIn = (name: string) =>
    source.query(
      "INSERT INTO user_logins (username, event_type, event_time) VALUES ($1, 'login', '2026-05-06 07:08:09Z')",
      [name],
    );
  const lines = (text: string) => text.split('\n').filter(Boolean);
  const succeed = async (line: string): Promise<string> => {
    const { code, stdout, stderr } = await home.run(line);
    assert.equal(code, 0, stdout + stderr);
    return stdout;
  };
  const relayStatus = async () => {
    const { pipelines } = JSON.parse(await succeed('npx tidegate status logins --json'));
    return pipelines[0].relay;
  };

  test('verify compares every row with its event, and plan finds nothing to do', async () => {
    const report = JSON.parse(await succeed('npx tidegate verify logins --json'));
    const [{ table, sourceRows, targetRows, equal }] = report.pipelines[0].tables;
    assert.deepEqual([table, sourceRows, targetRows, equal], ['user_logins', 3000, 3000, true]);
    assert.match(
      await succeed('npx tidegate plan logins'),
      /outbox user_logins: relayed by logins_relay to topic user_events/,
    );
    const { outboxes, phase } = await relayStatus();
    assert.deepEqual([phase, outboxes[0].sent, outboxes[0].unsent], ['relaying', 3000, 0]);
  });

  test('the role that relays can do that and nothing else', async () => {
    const { rows } = await source.query(
      `SELECT has_table_privilege('logins_relay', 'user_logins', 'INSERT, UPDATE, DELETE, TRUNCATE') AS more,
         has_column_privilege('logins_relay', 'user_logins', 'username', 'UPDATE') AS rename,
         has_column_privilege('logins_relay', 'user_logins', 'sent_to_kafka', 'UPDATE') AS mark,
         rolsuper OR rolreplication OR rolcreatedb OR rolcreaterole AS special FROM pg_roles WHERE rolname = 'logins_relay'`,
    );
    assert.deepEqual(rows, [{ more: false, rename: false, mark: true, special: false }]);
  });

  test('tail shows the last events, follows new ones as they land, and ends with Ctrl-C', async () => {
    const last = lines(await succeed('npx tidegate tail logins --last 3 --no-follow --json')).map((line) =>
      JSON.parse(line),
    );
    assert.equal(last.length, 3);
    assert.ok(last.every(({ table, op, landed }) => table === 'user_logins' && op === 'event' && landed === 'landed'));
    assert.equal(lines(await succeed('npx tidegate tail logins --from earliest --limit 50')).length, 50);

    // Without npx and a shell around it, whose end by a signal would hide the exit code.
    const { child, output } = await home.startUntil(
      'exec node scripts/tidegate.ts tail logins user_logins --last 1',
      '"user"',
    );
    const closed = once(child, 'close');
    await logIn('first "quoted"');
    const deadline = Date.now() + 60_000;
    while (
      !/landed \+.*user_logins {2}event {2}.*"user":"first \\"quoted\\"","event":"login","timestamp":1778051289/.test(
        output(),
      )
    ) {
      assert.ok(Date.now() < deadline, output());
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    Home.signal(child, 'SIGINT');
    const [code] = await closed;
    assert.equal(code, 0);
    assert.equal(lines(output()).length, 2);
  });

  test('every query of the dashboard answers, and its totals are those of the source', async () => {
    const settings = home.settings();
    const ask = async (sql: string): Promise<Record<string, unknown>[]> => {
      const query = new URLSearchParams({
        database: 'logins',
        default_format: 'JSON',
        param_months: '[]',
        param_events: '[]',
      });
      const response = await fetch(`${settings['CLICKHOUSE_URL']}/?${query}`, {
        ...{ method: 'POST', body: sql },
        headers: {
          'X-ClickHouse-User': settings['CLICKHOUSE_USER'] as string,
          'X-ClickHouse-Key': settings['CLICKHOUSE_PASSWORD'] as string,
        },
      });
      const text = await response.text();
      assert.ok(response.ok, text);
      return JSON.parse(text).data;
    };
    for (const { sql } of [...dashboard.queries, ...dashboard.filters]) assert.ok((await ask(sql)).length > 0, sql);
    const [totals] = await ask(dashboard.queries[0]!.sql);
    const { rows } = await source.query(
      `SELECT count(*)::int AS events, count(DISTINCT username)::int AS users,
         count(*) FILTER (WHERE event_type = 'login')::int AS logins,
         count(*) FILTER (WHERE event_type = 'login_failed')::int AS failed FROM user_logins`,
    );
    const numbers = Object.fromEntries(Object.entries(totals!).map(([name, value]) => [name, Number(value)]));
    assert.deepEqual(numbers, rows[0]);
  });

  test('a paused relay keeps rows in the outbox, which status counts and verify refuses to pass over', async () => {
    await succeed('npx tidegate pause logins --outbox');
    await logIn('second');
    await logIn('third');
    const { phase, outboxes } = await relayStatus();
    assert.deepEqual([phase, outboxes[0].unsent], ['paused', 2]);
    assert.match(await succeed('npx tidegate status logins'), /outbox user_logins: paused, sent 3,001, unsent 2/);
    const { code, stderr } = await home.run('npx tidegate verify logins');
    assert.equal(code, 1);
    assert.match(stderr, /the relay of 'logins' is paused, and rows wait in its outbox: 2.*resume logins --outbox/);
    await succeed('npx tidegate resume logins --outbox');
    await succeed('npx tidegate verify logins');
  });
});
