/** Logs in by OpenID Connect: authorization code with PKCE, as a public client. What is known stays in this tab. */

const stored = {
  get: (key) => JSON.parse(sessionStorage.getItem(key) ?? 'null'),
  set: (key, value) => sessionStorage.setItem(key, JSON.stringify(value)),
};
const here = `${location.origin}/`;

async function provider(issuer) {
  const answer = await fetch(`${issuer}/.well-known/openid-configuration`);
  if (!answer.ok) throw new Error('The login provider does not answer.');
  return await answer.json();
}

function base64url(bytes) {
  return btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

/** Leaves for the provider's page, which comes back here with a code. */
export async function logIn({ issuer, clientId }) {
  const { authorization_endpoint: to } = await provider(issuer);
  const [verifier, state] = [random(), random()];
  stored.set('login', { verifier, state });
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier));
  const query = new URLSearchParams({
    client_id: clientId,
    redirect_uri: here,
    response_type: 'code',
    scope: 'openid',
    state,
    code_challenge: base64url(new Uint8Array(digest)),
    code_challenge_method: 'S256',
  });
  location.assign(`${to}?${query}`);
}

/** Whoever is logged in: `{ token, name }`, or null. Takes the code with which the provider came back. */
export async function whoIsHere(about) {
  const query = new URLSearchParams(location.search);
  if (query.has('state')) {
    history.replaceState(null, '', here);
    await takeAnswer(about, query);
  }
  const session = stored.get('session');
  return session && session.until > Date.now() ? session : null;
}

async function takeAnswer({ issuer, clientId }, query) {
  const begun = stored.get('login');
  sessionStorage.removeItem('login');
  if (!begun || begun.state !== query.get('state')) return;
  if (query.has('error')) throw new Error(query.get('error_description') ?? 'The login failed.');
  const { token_endpoint: to } = await provider(issuer);
  const body = new URLSearchParams({
    grant_type: 'authorization_code',
    client_id: clientId,
    redirect_uri: here,
    code: query.get('code'),
    code_verifier: begun.verifier,
  });
  const answer = await fetch(to, { method: 'POST', body });
  if (!answer.ok) throw new Error('The login provider refused the login.');
  const { access_token: token, id_token: idToken, expires_in: seconds } = await answer.json();
  // It came from the provider itself, and only a name is taken from it, so its signature is not looked at.
  const payload = atob(idToken.split('.')[1].replaceAll('-', '+').replaceAll('_', '/'));
  const claims = JSON.parse(new TextDecoder().decode(Uint8Array.from(payload, (c) => c.charCodeAt(0))));
  const name = claims.name ?? claims.email ?? claims.sub;
  stored.set('session', { token, idToken, name, until: Date.now() + seconds * 1000 });
}

/** Forgets the token, and leaves for the provider's page that ends the session there. */
export async function logOut({ issuer, clientId }) {
  const { idToken } = stored.get('session') ?? {};
  forget();
  const { end_session_endpoint: to } = await provider(issuer);
  if (!to) return location.assign(here);
  const query = new URLSearchParams({ client_id: clientId, post_logout_redirect_uri: here });
  if (idToken) query.set('id_token_hint', idToken);
  location.assign(`${to}?${query}`);
}

export function forget() {
  sessionStorage.removeItem('session');
}
