import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { dayAfter, dayOf } from '../../core/days.ts';
import { Login } from '../oidcBrowser.ts';
import { eventually, Home } from './command.ts';

/** What `npm start` offers a person who wants to see their report. */
describe('the report that npm start serves', { concurrency: false }, () => {
  const home = new Home();
  /** The last day that is processed by now: one is waited for two hours longer than it lasts. */
  const last = dayOf(Date.now() - 26 * 3_600_000);
  const period = { from: dayAfter(last, -6), to: last };
  let started: Awaited<ReturnType<Home['startUntil']>>;

  before(async () => {
    const line = 'npm start --silent -- --only crm --rows 4000 --ports auto --traffic 0';
    started = await home.startUntil(line, 'Everything streams');
  });
  after(() => home[Symbol.asyncDispose]());

  const ask = async (operation: string, token: string): Promise<Response> =>
    await fetch(`${home.settings()['REPORT_URL']}/api/${operation}?${new URLSearchParams(period)}`, {
      headers: { authorization: `Bearer ${token}` },
    });
  const clickhouse = async <T>(sql: string): Promise<T[]> => {
    const settings = home.settings();
    const headers = {
      'X-ClickHouse-User': settings['CLICKHOUSE_USER'] as string,
      'X-ClickHouse-Key': settings['CLICKHOUSE_PASSWORD'] as string,
    };
    const answer = await fetch(`${settings['CLICKHOUSE_URL']}/?database=reports_db&default_format=JSON`, {
      ...{ method: 'POST', body: sql, headers },
    });
    assert.ok(answer.ok, await answer.clone().text());
    return ((await answer.json()) as { data: T[] }).data;
  };
  const logIn = async (username: string): Promise<string> => {
    const settings = home.settings();
    const login = new Login({
      issuer: settings['REPORT_OIDC_ISSUER'] as string,
      clientId: settings['REPORT_OIDC_CLIENT_ID'] as string,
      redirectUri: `${settings['REPORT_URL']}/`,
    });
    return await login.accessToken({ username, password: settings['REPORT_USERS_PASSWORD'] as string });
  };
  /** The people whom the output names, as ids of the source. */
  const people = async () => {
    const [, text] = /log in as (.+), password/.exec(started.output()) ?? [];
    const names = text?.split(' or ') ?? [];
    const rows = await clickhouse<{ user_id: number; user_email: string }>(
      'SELECT user_id, user_email FROM users_current WHERE user_id <= 2 ORDER BY user_id',
    );
    assert.deepEqual(
      rows.map((row) => row.user_email),
      names,
    );
    return rows;
  };

  test('its address and the people who may log in are printed, and each gets their own rows of the mart', async () => {
    assert.match(started.output(), new RegExp(`Prosthesis reports {2}${home.settings()['REPORT_URL']} `));
    for (const { user_id, user_email } of await people()) {
      const token = await logIn(user_email);
      await eventually(
        'the week to be processed',
        async () => {
          const answer = await ask('isDataProcessedForPeriod', token);
          return ((await answer.json()) as { processed: boolean }).processed || undefined;
        },
        300_000,
      );
      const answer = await ask('getReportsForUser', token);
      assert.equal(answer.status, 200, await answer.clone().text());
      const { items } = (await answer.json()) as { items: { day: string; movements: number }[] };
      const expected = await clickhouse<{ day: string; movements: string }>(
        `SELECT day, movements FROM prosthesis_reports_mart
         WHERE user_id = ${user_id} AND day BETWEEN '${period.from}' AND '${period.to}' ORDER BY day, prosthesis_id`,
      );
      assert.ok(expected.length > 0);
      assert.deepEqual(
        items.map(({ day, movements }) => [day, movements]),
        expected.map(({ day, movements }) => [day, Number(movements)]),
      );
    }
  });

  test('Ctrl-C ends the service and the login provider as well', async () => {
    const pids = [home.pid('report'), home.pid('login')];
    Home.signal(started.child, 'SIGINT');
    await once(started.child, 'close');
    for (const pid of pids) assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
  });
});
