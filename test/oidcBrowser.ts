import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';

/** As much of a browser as a login needs: it follows redirects and keeps cookies. */
export class Browser {
  readonly #cookies = new Map<string, string>();
  readonly #away: string;

  /** @param away an address that it stops in front of. */
  constructor(away: string) {
    this.#away = away;
  }

  /** Goes on to the first page that is none of the redirects, or to the address where it stops. */
  async follow(to: string, form?: Record<string, string>): Promise<{ url: string; body: string }> {
    let url = to;
    let body = form && new URLSearchParams(form);
    for (let hops = 0; hops < 10; hops++) {
      if (url.startsWith(this.#away)) return { url, body: '' };
      const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
      const answer = await fetch(url, {
        redirect: 'manual',
        headers: { cookie },
        ...(body && { method: 'POST', body }),
      });
      for (const set of answer.headers.getSetCookie()) {
        const [, name, value] = /^([^=]+)=([^;]*)/.exec(set)!;
        this.#cookies.set(name!, value!);
      }
      const location = answer.headers.get('location');
      if (location === null) return { url, body: await answer.text() };
      url = new URL(location, url).href;
      body = undefined;
    }
    throw new Error('too many redirects');
  }
}

/** A client of the local login provider, and somebody who logs in to it by name and password. */
export class Login {
  readonly #browser: Browser;
  readonly #verifier = randomBytes(32).toString('base64url');
  readonly #options: { issuer: string; clientId: string; redirectUri: string };

  constructor(options: { issuer: string; clientId: string; redirectUri: string }) {
    this.#options = options;
    this.#browser = new Browser(options.redirectUri);
  }

  /** Asks for a code; without a proof when `pkce` is false. */
  async begin({ pkce = true } = {}): Promise<{ url: string; body: string }> {
    const { issuer, clientId, redirectUri } = this.#options;
    const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(this.#verifier));
    const challenge = { code_challenge: Buffer.from(digest).toString('base64url'), code_challenge_method: 'S256' };
    const asked = {
      client_id: clientId,
      redirect_uri: redirectUri,
      response_type: 'code',
      scope: 'openid',
      state: 's',
    };
    return await this.#browser.follow(`${issuer}/auth?${new URLSearchParams({ ...asked, ...(pkce && challenge) })}`);
  }

  /** Fills in the form of a login page. */
  async submit(form: { url: string }, person: { username: string; password: string }) {
    return await this.#browser.follow(form.url, { ...person });
  }

  /** Exchanges the code of the address to which the provider led back. */
  async exchange(back: { url: string }): Promise<Response> {
    const { issuer, clientId, redirectUri } = this.#options;
    const code = new URL(back.url).searchParams.get('code') ?? '';
    const body = { grant_type: 'authorization_code', client_id: clientId, redirect_uri: redirectUri, code };
    const form = new URLSearchParams({ ...body, code_verifier: this.#verifier });
    return await fetch(`${issuer}/token`, { method: 'POST', body: form });
  }

  /** The access token of somebody whose password is right. */
  async accessToken(person: { username: string; password: string }): Promise<string> {
    const answer = await this.exchange(await this.submit(await this.begin(), person));
    assert.equal(answer.status, 200);
    return ((await answer.json()) as { access_token: string }).access_token;
  }
}
