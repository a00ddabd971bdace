import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import { dayAfter } from '../../core/days.ts';
import { writeCursor } from '../../server/cursor.ts';
import { DAYS, FIRST_DAY, LAST_DAY, ReportLab } from './reportSupport.ts';

/** What a reader gets, over a ClickHouse of the test's own. */
let lab: ReportLab;
const period = { from: FIRST_DAY, to: LAST_DAY };

before(async () => {
  lab = await ReportLab.start({ limits: { user: 1000, address: 1000 } });
});
after(() => lab[Symbol.asyncDispose]());

test('a user gets their own rows, and nobody else can be asked for', async () => {
  const { status, body } = await lab.get('getReportsForUser', period, await lab.provider.token({ user_id: 2 }));
  assert.equal(status, 200);
  assert.equal(body.items.length, 2 * DAYS);
  assert.deepEqual([...new Set(body.items.map((row: Row) => row['prosthesis_id']))], [3, 4]);
  for (const stranger of ['user', 'user_id', 'sub', 'id']) {
    const asked = await lab.get('getReportsForUser', { ...period, [stranger]: '1' });
    assert.equal(asked.status, 400);
    assert.equal(asked.body.errors[0].parameter, stranger);
  }
});

test('a row has its values exactly, with numbers as numbers and times in UTC', async () => {
  const { body } = await lab.get('getReportsForUser', { ...period, limit: '2' });
  const [first, second] = body.items;
  assert.deepEqual(first, {
    ...{ day: FIRST_DAY, prosthesis_id: 1, prosthesis_model: 'Model 0', manufacture_date: '2020-02-29', events: 20 },
    ...{ first_event_at: `${FIRST_DAY}T08:00:00.500Z`, movement_counts: { grip: 5, hold: 2 } },
    ...{ response_ms_avg: 101.5, grip_force_max: 42.5 },
  });
  assert.deepEqual([second.manufacture_date, second.grip_force_max], [null, null]);
});

test('pages are complete, in order and stable, whatever their size and format', async () => {
  const whole = (await lab.get('getReportsForUser', period)).body.items;
  assert.equal(whole.length, 2 * DAYS);
  for (const limit of ['1', '3', '19', '20', '1000']) {
    const found: unknown[] = [];
    let cursor: string | null = null;
    do {
      const query: Record<string, string> = { ...period, limit, ...(cursor !== null && { cursor }) };
      const { body } = await lab.get('getReportsForUser', query);
      assert.ok(body.items.length <= Number(limit));
      found.push(...body.items);
      cursor = body.nextCursor;
    } while (cursor !== null);
    assert.deepEqual(found, whole);
  }
  const lines: string[] = [];
  for (let query: Record<string, string> | null = { ...period, limit: '7', format: 'csv' }; query; ) {
    const { text, headers }: Awaited<ReturnType<typeof lab.get>> = await lab.get('getReportsForUser', query);
    lines.push(...text.split('\r\n').slice(1, -1));
    const next: RegExpExecArray | null = /<\?([^>]*)>; rel="next"/.exec(String(headers['link'] ?? ''));
    query = next && Object.fromEntries(new URLSearchParams(next[1]));
  }
  const keys = (row: Row) => `"${row['day']}",${row['prosthesis_id']}`;
  assert.deepEqual(
    lines.map((line) => line.split(',').slice(0, 2).join(',')),
    whole.map(keys),
  );
});

test('a period that is not processed is refused, naming the days, and never shown empty', async () => {
  const beyond = { from: dayAfter(LAST_DAY, -1), to: dayAfter(LAST_DAY, 2) };
  const missing = [dayAfter(LAST_DAY), dayAfter(LAST_DAY, 2)];
  const { status, type, body } = await lab.get('getReportsForUser', beyond);
  assert.deepEqual([status, type, body.days], [409, 'application/problem+json', missing]);
  const said = await lab.get('isDataProcessedForPeriod', beyond);
  assert.deepEqual(said.body, { ...beyond, processed: false, unprocessedDays: missing });
  const inside = await lab.get('isDataProcessedForPeriod', period);
  assert.deepEqual(inside.body, { ...period, processed: true, unprocessedDays: [] });
});

test('a late event takes its day back until it is merged again', async () => {
  await lab.landLate(dayAfter(FIRST_DAY, 3));
  const { status, body } = await lab.get('getReportsForUser', period);
  assert.deepEqual([status, body.days], [409, [dayAfter(FIRST_DAY, 3)]]);
  await lab.forgetLate();
  assert.equal((await lab.get('getReportsForUser', period)).status, 200);
});

test('somebody without rows gets an empty report of a processed period', async () => {
  const { status, body } = await lab.get('getReportsForUser', period, await lab.provider.token({ user_id: '77' }));
  assert.deepEqual([status, body.items, body.nextCursor], [200, [], null]);
});

const wrong: [why: string, query: Record<string, string>, parameter: string][] = [
  ['no period', {}, 'from'],
  ['no end', { from: FIRST_DAY }, 'to'],
  ['a day that the calendar lacks', { ...period, from: '2026-02-30' }, 'from'],
  ['a time', { ...period, from: '2026-03-01T00:00:00Z' }, 'from'],
  ['a day before 1970', { ...period, from: '1969-12-31' }, 'from'],
  ['a day beyond what ClickHouse has', { from: '2149-06-06', to: '2149-06-06' }, 'from'],
  ['an end before the beginning', { from: LAST_DAY, to: FIRST_DAY }, 'to'],
  ['a period too long', { from: '2025-01-01', to: '2026-01-02' }, 'to'],
  ['SQL', { ...period, to: "2026-03-10' OR 1=1 --" }, 'to'],
  ['an unknown format', { ...period, format: 'xml' }, 'format'],
  ['a limit of 0', { ...period, limit: '0' }, 'limit'],
  ['a limit too large', { ...period, limit: '1001' }, 'limit'],
  ['a limit that is no number', { ...period, limit: 'all' }, 'limit'],
  ['a cursor of somebody else', { ...period, cursor: 'MjAyNi0wMy0wMQ' }, 'cursor'],
  ['a cursor written otherwise', { ...period, cursor: `${writeCursor({ day: FIRST_DAY, item: '1' })}=` }, 'cursor'],
  ['a cursor of no day', { ...period, cursor: Buffer.from('2026-13-01,1').toString('base64url') }, 'cursor'],
  ['a cursor with SQL', { ...period, cursor: Buffer.from("2026-03-01,1'").toString('base64url') }, 'cursor'],
  ['an unknown parameter', { ...period, form: 'csv' }, 'form'],
];
for (const [why, query, parameter] of wrong) {
  test(`${why} is answered with 400 and the parameter's name`, async () => {
    const { status, type, body } = await lab.get('getReportsForUser', query);
    assert.deepEqual([status, type], [400, 'application/problem+json']);
    assert.equal(body.errors[0].parameter, parameter);
    assert.ok(body.errors[0].message.length > 5);
    assert.match(body.detail, new RegExp(`^${parameter}: `));
  });
}

test('a parameter given twice is answered with 400', async () => {
  const headers = { authorization: `Bearer ${await lab.provider.token()}` };
  const url = `/api/getReportsForUser?from=${FIRST_DAY}&from=${FIRST_DAY}&to=${LAST_DAY}`;
  assert.equal((await lab.app.inject({ url, headers })).statusCode, 400);
});

test('the longest period is answered', async () => {
  const { status, body } = await lab.get('isDataProcessedForPeriod', { from: '2025-01-01', to: '2026-01-01' });
  assert.equal(status, 200);
  assert.equal(body.unprocessedDays.length, 366);
});

test('CSV cells are quoted, and none is a formula', async () => {
  const models = ['=cmd|calc!A1', '+1', '-1', '@SUM(A1)', '\tx', 'a "b", c;d', 'line\r\nbreak', '', '＝1', 'ok'];
  const values = models.map((model, index) => {
    const text = model.replaceAll('\\', '\\\\').replaceAll("'", "\\'");
    return `(50, ${index + 1}, '${FIRST_DAY}', '${text}', -3, map('=1', 1))`;
  });
  await lab.writer.command(`INSERT INTO ${lab.table(lab.found.mart.name)}
    (user_id, prosthesis_id, day, prosthesis_model, response_ms_avg, movement_counts) VALUES ${values}`);
  const token = await lab.provider.token({ user_id: 50 });
  const { text, type, headers } = await lab.get('getReportsForUser', { ...period, format: 'csv' }, token);
  assert.equal(type, 'text/csv; charset=utf-8');
  assert.match(String(headers['content-disposition']), /^attachment; filename="reports_[\d_-]+\.csv"$/);
  const [head, ...rows] = readCsv(text);
  assert.deepEqual(head, Object.keys(lab.found.report.columns));
  const at = (name: string) => head!.indexOf(name);
  assert.deepEqual(
    rows.map((row) => row[at('prosthesis_model')]),
    models.map((model) => (/^[=+\-@\t＝]/.test(model) ? `'${model}` : model)),
  );
  assert.deepEqual([...new Set(rows.map((row) => row[at('response_ms_avg')]))], ['-3']);
  assert.deepEqual([...new Set(rows.map((row) => row[at('movement_counts')]))], ['{"=1":1}']);
  assert.deepEqual([...new Set(rows.map((row) => row[at('manufacture_date')]))], ['']);
});

test('every request for data leaves a line with who asked for what, and nothing of the token', async () => {
  lab.noted.length = 0;
  const token = await lab.provider.token({ user_id: 3 });
  await lab.get('getReportsForUser', { ...period, limit: '5' }, token);
  await lab.get('getReportsForUser', { ...period, limit: '5' }, `${token}x`);
  await lab.get('isDataProcessedForPeriod', { from: 'x', to: 'y' }, token);
  const lines = lab.noted.map(({ time, request, milliseconds, ...line }) => {
    assert.ok(Date.now() - Date.parse(time) < 60_000 && request.length === 36 && milliseconds >= 0);
    return line;
  });
  const shared = { address: '127.0.0.1' };
  assert.deepEqual(lines, [
    {
      ...{ access: 'getReportsForUser', user: '3', ...shared, ...period, format: 'json', status: 200, rows: 5 },
    },
    {
      ...{ access: 'getReportsForUser', user: null, ...shared, status: 401, rows: null },
      reason: 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED',
    },
    { access: 'isDataProcessedForPeriod', user: '3', ...shared, status: 400, rows: null, reason: 'bad parameters' },
  ]);
  assert.ok(!JSON.stringify(lab.noted).includes(token.slice(0, 20)));
});

test('answers have security headers, and data is not kept by caches', async () => {
  const { headers } = await lab.get('getReportsForUser', { ...period, limit: '1' });
  assert.equal(headers['cache-control'], 'no-store');
  assert.equal(headers['x-content-type-options'], 'nosniff');
  assert.match(String(headers['content-security-policy']), /default-src 'none'/);
  assert.equal(headers['access-control-allow-origin'], undefined);
  const page = await lab.app.inject('/');
  assert.match(String(page.headers['content-security-policy']), /script-src 'self';/);
  assert.match(page.payload, /<html lang="en">/);
});

test('the API describes itself in a valid OpenAPI document', async () => {
  const document = (await lab.app.inject('/docs/json')).json();
  const { valid, errors } = await new Validator().validate(document);
  assert.ok(valid, JSON.stringify(errors));
  const operations = Object.values<{ get: { operationId: string } }>(document.paths).map(
    (path) => path.get.operationId,
  );
  assert.deepEqual(operations.sort(), ['getReportsForUser', 'isDataProcessedForPeriod']);
  const parameters = document.paths['/api/getReportsForUser'].get.parameters.map((each: Row) => each['name']);
  assert.deepEqual(parameters.sort(), ['cursor', 'format', 'from', 'limit', 'to']);
  const item = document.paths['/api/getReportsForUser'].get.responses['200'].content['application/json'].schema;
  assert.deepEqual(Object.keys(item.properties.items.items.properties), Object.keys(lab.found.report.columns));
});

test('whatever is asked elsewhere is answered with a plain 404 or 405', async () => {
  assert.equal((await lab.app.inject('/api/getReports')).statusCode, 404);
  assert.equal((await lab.app.inject('/../../package.json')).statusCode, 404);
  const posted = await lab.app.inject({ method: 'POST', url: '/api/getReportsForUser', payload: {} });
  assert.equal(posted.statusCode, 404);
});

test('the account in ClickHouse reads its mart and what says whether it is processed, and nothing else', async () => {
  const { mart, pipeline } = lab.found;
  const allowed = [`SELECT count() FROM ${lab.table(mart.name)}`, 'SELECT 1'];
  for (const sql of allowed) assert.equal((await lab.reader.rows(sql)).length, 1, sql);
  const refused = [
    `SELECT user_email FROM ${lab.table('users')}`,
    `SELECT secret FROM ${lab.table(mart.late.input)}`,
    `SELECT * FROM ${lab.table('dead_letters')}`,
    `SELECT (SELECT max(user_email) FROM ${lab.table('users')})`,
    "SELECT * FROM url('http://127.0.0.1:1', 'LineAsString')",
    "SELECT * FROM file('/etc/hostname', 'LineAsString')",
    'SELECT 1 SETTINGS max_execution_time = 0',
  ];
  for (const sql of refused) await assert.rejects(lab.reader.rows(sql), /privileges|readonly/, sql);
  for (const sql of [
    `INSERT INTO ${lab.table(mart.name)} (user_id) VALUES (1)`,
    `ALTER TABLE ${lab.table(mart.name)} DELETE WHERE 1`,
    `TRUNCATE TABLE ${lab.table(mart.name)}`,
    `CREATE TABLE ${pipeline.database}.own (a Int8) ENGINE = Memory`,
    `DROP TABLE ${lab.table(mart.name)}`,
    'SET max_execution_time = 0',
  ]) {
    await assert.rejects(lab.reader.command(sql), /privileges|readonly/, sql);
  }
});

test('while ClickHouse is away readers get 503 without a word about why, and the log has it', async () => {
  lab.logged.length = 0;
  await lab.writer.command(`RENAME TABLE ${lab.table('tidegate_periods')} TO ${lab.table('elsewhere')}`);
  const { status, body } = await lab.get('getReportsForUser', period);
  await lab.writer.command(`RENAME TABLE ${lab.table('elsewhere')} TO ${lab.table('tidegate_periods')}`);
  assert.equal(status, 500);
  assert.doesNotMatch(JSON.stringify(body), /tidegate_periods|ClickHouse|SELECT/);
  assert.match(lab.logged.join(), /tidegate_periods/);
  await lab.server.end('SIGTERM');
  const away = await lab.get('getReportsForUser', period);
  assert.deepEqual([away.status, away.headers['retry-after']], [503, '5']);
  assert.doesNotMatch(away.text, /ClickHouse|127\.0\.0\.1/);
  assert.equal((await lab.app.inject('/health')).statusCode, 503);
});

type Row = Record<string, unknown>;

/** RFC 4180, read by rules of its own. */
function readCsv(text: string): string[][] {
  const rows: string[][] = [];
  for (let rest = text; rest !== ''; ) {
    const row: string[] = [];
    for (;;) {
      const cell = /^(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/.exec(rest);
      assert.ok(cell, `not CSV: ${rest.slice(0, 50)}`);
      rest = rest.slice(cell[0].length);
      row.push(cell[1]?.replaceAll('""', '"') ?? cell[2]!);
      if (cell[3] === '\r\n') break;
    }
    rows.push(row);
  }
  return rows;
}
