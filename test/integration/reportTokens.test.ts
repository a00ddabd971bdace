import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, test } from 'node:test';
import { type CryptoKey, exportSPKI, importJWK } from 'jose';
import { DAYS, FIRST_DAY, LAST_DAY, ReportLab } from './reportSupport.ts';

/** Who is let in, and what those are told who are not. */
let lab: ReportLab;
const period = { from: FIRST_DAY, to: LAST_DAY };
const LIMITS = { user: 1000, address: 1000 };

before(async () => {
  lab = await ReportLab.start({ limits: LIMITS });
});
after(() => lab[Symbol.asyncDispose]());

const now = () => Math.floor(Date.now() / 1000);
const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A token put together by hand, as an attacker would. */
async function forged(header: object, sign: (input: string) => string | Promise<string>): Promise<string> {
  const [, payload] = (await lab.provider.token()).split('.');
  const input = `${part(header)}.${payload}`;
  return `${input}.${await sign(input)}`;
}

const publicKeyPem = async () => await exportSPKI((await importJWK(lab.provider.keys[0]!, 'RS256')) as CryptoKey);

const refused: [why: string, token: () => Promise<string | null> | string | null][] = [
  ['no token', () => null],
  ['an empty token', () => ''],
  ['what is no token', () => 'abc'],
  ['a token too long', () => `${'a'.repeat(9000)}.b.c`],
  ['an expired token', () => lab.provider.token({ exp: now() - 60 })],
  ['a token that is not valid yet', () => lab.provider.token({ nbf: now() + 60 })],
  ['a token that never expires', () => lab.provider.token({ exp: undefined })],
  ['a token of another issuer', () => lab.provider.token({ iss: 'http://127.0.0.1:1' })],
  ['a token of no issuer', () => lab.provider.token({ iss: undefined })],
  ['a token for another audience', () => lab.provider.token({ aud: 'somebody-else' })],
  ['a token for no audience', () => lab.provider.token({ aud: undefined })],
  ['a token without a user', () => lab.provider.token({ user_id: undefined })],
  ['a token of user 0, who has the rows of nobody', () => lab.provider.token({ user_id: 0 })],
  ["a token of user '0'", () => lab.provider.token({ user_id: '0' })],
  ['a token of a user below 0', () => lab.provider.token({ user_id: -1 })],
  ['a token of half a user', () => lab.provider.token({ user_id: 1.5 })],
  ['a token of several users', () => lab.provider.token({ user_id: [1, 2] })],
  ['a token with SQL for a user', () => lab.provider.token({ user_id: '1 OR 1=1' })],
  ['a token of a user with a blank', () => lab.provider.token({ user_id: ' 1' })],
  ['a token that names a key that there is not', () => lab.provider.token({}, { kid: 'unknown' })],
  ['a token that says alg none', () => forged({ alg: 'none' }, () => '')],
  ['a token that says alg none in other letters', () => forged({ alg: 'nOnE', kid: 'first' }, () => '')],
  [
    'a token signed by HS256 with the public key for a secret',
    () =>
      forged({ alg: 'HS256', kid: 'first' }, async (input) =>
        createHmac('sha256', await publicKeyPem())
          .update(input)
          .digest('base64url'),
      ),
  ],
  [
    'a token that brings its own key along',
    async () => {
      const key = await lab.provider.addKey('own');
      lab.provider.keys = lab.provider.keys.filter(({ kid }) => kid !== 'own');
      return await lab.provider.token({}, { kid: 'own', jwk: key });
    },
  ],
  [
    "a token with another user's number under the same signature",
    async () => {
      const [header, payload, signature] = (await lab.provider.token()).split('.');
      const claims = JSON.parse(Buffer.from(payload!, 'base64url').toString());
      return `${header}.${part({ ...claims, user_id: '2' })}.${signature}`;
    },
  ],
];

for (const [why, token] of refused) {
  test(`${why} is refused with 401, in the same words as any other`, async () => {
    for (const operation of ['getReportsForUser', 'isDataProcessedForPeriod']) {
      const { status, type, headers, body } = await lab.get(operation, period, await token());
      assert.deepEqual([status, type], [401, 'application/problem+json']);
      assert.deepEqual(body, {
        ...{ type: 'about:blank', title: 'Unauthorized', status: 401, detail: 'A valid access token is needed.' },
      });
      assert.match(String(headers['www-authenticate']), /^Bearer realm="reports"/);
    }
  });
}

test('other schemes and a token in the query are refused', async () => {
  const token = await lab.provider.token();
  for (const authorization of [`Basic ${token}`, token, `Bearer ${token} ${token}`, 'Bearer']) {
    const url = `/api/isDataProcessedForPeriod?from=${FIRST_DAY}&to=${LAST_DAY}`;
    assert.equal(
      (await lab.app.inject({ url, headers: { authorization } })).statusCode,
      401,
      authorization.slice(0, 20),
    );
  }
  assert.equal((await lab.get('isDataProcessedForPeriod', { ...period, access_token: token }, null)).status, 401);
});

test("A's token gives A's rows, whatever the request says of B", async () => {
  const token = await lab.provider.token({ user_id: '1' });
  const headers = { authorization: `Bearer ${token}`, 'x-user-id': '2', cookie: 'user_id=2' };
  const url = `/api/getReportsForUser?from=${FIRST_DAY}&to=${LAST_DAY}`;
  const { items } = (await lab.app.inject({ url, headers })).json();
  assert.equal(items.length, 2 * DAYS);
  assert.ok(items.every((row: Record<string, unknown>) => Number(row['prosthesis_id']) <= 2));
});

test("a cursor of A's, used with B's token, gives B's rows", async () => {
  const first = (await lab.get('getReportsForUser', { ...period, limit: '3' })).body;
  const token = await lab.provider.token({ user_id: '2' });
  const { body } = await lab.get('getReportsForUser', { ...period, cursor: first.nextCursor }, token);
  assert.ok(body.items.length > 0);
  assert.ok(body.items.every((row: Record<string, unknown>) => [3, 4].includes(Number(row['prosthesis_id']))));
});

test('the same limits hold for whoever has no valid token, whom the address stands for', async () => {
  await using own = await ReportLab.start({ limits: { user: 3, address: 5 } });
  const ask = async (token: string | null) => (await own.get('isDataProcessedForPeriod', period, token)).status;
  const [a, b] = [await own.provider.token({ user_id: 1 }), await own.provider.token({ user_id: 2 })];
  const answers = [await ask(a), await ask(a), await ask(a), await ask(a), await ask(b)];
  assert.deepEqual(answers, [200, 200, 200, 429, 200]);
  for (let i = 0; i < 5; i++) assert.equal(await ask(null), 401);
  const { status, type, headers, body } = await own.get('isDataProcessedForPeriod', period, null);
  assert.deepEqual([status, type, body.title], [429, 'application/problem+json', 'Too Many Requests']);
  assert.ok(Number(headers['retry-after']) > 0);
  assert.equal(await ask(b), 200);
});

test('a new key of the provider is taken up, and one that it has dropped is not good any more', async () => {
  const [provider, old] = [lab.provider, lab.provider.keys];
  await provider.addKey('second', 'ES256');
  const fresh = await provider.token({}, { kid: 'second', alg: 'ES256' });
  assert.equal((await lab.get('isDataProcessedForPeriod', period, fresh)).status, 200);
  provider.keys = provider.keys.filter(({ kid }) => kid === 'second');
  // A key that is unknown makes the service read the keys again.
  await lab.get('isDataProcessedForPeriod', period, await provider.token({}, { kid: 'unknown' }));
  assert.equal((await lab.get('isDataProcessedForPeriod', period, await provider.token())).status, 401);
  assert.equal((await lab.get('isDataProcessedForPeriod', period, fresh)).status, 200);
  provider.keys = old;
  await lab.get('isDataProcessedForPeriod', period, await provider.token({}, { kid: 'unknown' }));
});

test('while the provider is down, known keys go on, and others are answered with 503', async () => {
  const good = await lab.provider.token();
  const unknown = await lab.provider.token({}, { kid: 'unknown' });
  const port = Number(lab.provider.issuer.port);
  assert.equal((await lab.get('isDataProcessedForPeriod', period, good)).status, 200);
  await lab.provider.stop();
  assert.equal((await lab.get('isDataProcessedForPeriod', period, good)).status, 200);
  assert.equal((await lab.get('isDataProcessedForPeriod', period, 'no.token.this')).status, 401);
  const { status, type, headers, text } = await lab.get('isDataProcessedForPeriod', period, unknown);
  assert.deepEqual([status, type, headers['retry-after']], [503, 'application/problem+json', '5']);
  assert.doesNotMatch(text, /127\.0\.0\.1|ECONN|fetch|keys:/);
  await lab.provider.listen(port);
  assert.equal((await lab.get('isDataProcessedForPeriod', period, unknown)).status, 401);
});

test('a service that starts before the provider lets people in as soon as it is there', async () => {
  await using own = await ReportLab.start({ limits: LIMITS });
  const port = Number(own.provider.issuer.port);
  await own.provider.stop();
  const token = await own.provider.token();
  assert.equal((await own.get('isDataProcessedForPeriod', period, token)).status, 503);
  await own.provider.listen(port);
  assert.equal((await own.get('isDataProcessedForPeriod', period, token)).status, 200);
});
