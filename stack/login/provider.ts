import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { exportJWK, generateKeyPair } from 'jose';
import Provider, { type Configuration } from 'oidc-provider';
import { loginPage, messagePage, PAGE_POLICY } from './pages.ts';

/** Somebody who may log in. */
export interface LoginAccount {
  username: string;
  password: string;
  /** What tokens say of them. */
  claims: Readonly<Record<string, string>>;
}

export interface LoginConfig {
  /** 0: any free one. */
  port: number;
  /** The one client: a page in a browser, which has no secret. */
  clientId: string;
  redirectUri: string;
  /** For whom access tokens are. */
  audience: string;
  accounts: readonly LoginAccount[];
}

export interface LoginServer {
  issuer: string;
  close(): Promise<void>;
}

/** The one API that access tokens are for; oidc-provider wants a URI. */
const RESOURCE = 'urn:tidegate:report';
const TOKEN_SECONDS = 15 * 60;
const SESSION_SECONDS = 12 * 60 * 60;
const LONGEST_FORM = 10_000;

/**
 * A standard OpenID Connect provider for the local stack: authorization code with PKCE, access tokens as JWT. Its keys and
 * sessions live as long as the process, so after a restart people log in again.
 */
export async function startLogin(config: LoginConfig): Promise<LoginServer> {
  let handle: (request: IncomingMessage, response: ServerResponse) => void = () => {};
  const server = createServer((request, response) => handle(request, response));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(config.port, '127.0.0.1', resolve);
  });
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const provider = new Provider(issuer, await configuration(config));
  const standard = provider.callback();
  handle = (request, response) => {
    if (!request.url?.startsWith('/interaction/')) return void standard(request, response);
    interact(provider, { request, response, config }).catch(() => {
      show(response, 400, messagePage('This login has expired', 'Go back to the report and log in again.'));
    });
  };
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { issuer, close };
}

async function configuration({ clientId, redirectUri, audience, accounts }: LoginConfig): Promise<Configuration> {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  const find = (accountId: string) => accounts.find(({ username }) => username === accountId);
  const page = new URL(redirectUri).origin;
  return {
    jwks: { keys: [{ ...(await exportJWK(privateKey)), alg: 'RS256', use: 'sig' }] },
    cookies: { keys: [randomBytes(32).toString('base64url')] },
    clients: [
      {
        ...{ client_id: clientId, client_name: 'Reports', token_endpoint_auth_method: 'none' },
        ...{ redirect_uris: [redirectUri], post_logout_redirect_uris: [redirectUri] },
        ...{ grant_types: ['authorization_code'], response_types: ['code'] },
      },
    ],
    clientBasedCORS: (_ctx, origin) => origin === page,
    scopes: ['openid'],
    claims: { openid: ['sub', 'name', 'email'] },
    conformIdTokenClaims: false,
    async findAccount(_ctx, accountId) {
      const account = find(accountId);
      return account && { accountId, claims: async () => ({ sub: accountId, ...account.claims }) };
    },
    extraTokenClaims: (_ctx, token) => find('accountId' in token ? String(token.accountId) : '')?.claims,
    interactions: { url: (_ctx, { uid }) => `/interaction/${uid}` },
    // There is one client, and it is the project's own, so nobody is asked whether it may.
    async loadExistingGrant(ctx) {
      const { provider, client, session } = ctx.oidc;
      const grant = new provider.Grant({ clientId: client!.clientId, accountId: session!.accountId! });
      grant.addOIDCScope('openid');
      grant.addResourceScope(RESOURCE, 'report');
      await grant.save();
      return grant;
    },
    features: {
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => RESOURCE,
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({
          ...{ scope: 'report', audience, accessTokenFormat: 'jwt', accessTokenTTL: TOKEN_SECONDS },
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
      rpInitiatedLogout: {
        logoutSource: (ctx, form) => {
          ctx.set('content-security-policy', PAGE_POLICY);
          ctx.body = messagePage('Log out?', 'You will have to enter your password again.', {
            form: `${form}<button form="op.logoutForm" name="logout" value="yes">Log out</button>`,
          });
        },
        postLogoutSuccessSource: (ctx) => {
          ctx.body = messagePage('Logged out', 'You may close this page.');
        },
      },
    },
    renderError: (ctx, { error, error_description: detail }) => {
      ctx.set('content-security-policy', PAGE_POLICY);
      ctx.type = 'html';
      ctx.body = messagePage('The login failed', detail ?? error);
    },
    ttl: { Session: SESSION_SECONDS, Interaction: 3600, Grant: SESSION_SECONDS, IdToken: TOKEN_SECONDS },
  };
}

/** Asks for name and password, once; a wrong answer asks again. */
async function interact(
  provider: Provider,
  { request, response, config }: { request: IncomingMessage; response: ServerResponse; config: LoginConfig },
): Promise<void> {
  const { prompt } = await provider.interactionDetails(request, response);
  if (prompt.name !== 'login') throw new Error(`nothing is asked about ${prompt.name}`);
  if (request.method !== 'POST') return show(response, 200, loginPage({ accounts: config.accounts }));
  if (Number(request.headers['content-length'] ?? LONGEST_FORM + 1) > LONGEST_FORM) throw new Error('too long');
  const form = new URLSearchParams(await text(request));
  const [username, password] = [form.get('username') ?? '', form.get('password') ?? ''];
  const account = config.accounts.find((candidate) => candidate.username === username);
  if (!same(password, account?.password ?? '') || !account) {
    return show(response, 401, loginPage({ accounts: config.accounts, username, wrong: true }));
  }
  await provider.interactionFinished(request, response, { login: { accountId: username } });
}

function same(a: string, b: string): boolean {
  const digest = (value: string) => createHash('sha256').update(value).digest();
  return timingSafeEqual(digest(a), digest(b));
}

function show(response: ServerResponse, status: number, html: string): void {
  response.writeHead(status, {
    ...{ 'content-type': 'text/html; charset=utf-8', 'content-security-policy': PAGE_POLICY },
    ...{ 'cache-control': 'no-store', 'referrer-policy': 'no-referrer', 'x-content-type-options': 'nosniff' },
  });
  response.end(html);
}
