import { createHash } from 'node:crypto';

/** As the report's page looks, in light and dark. */
const STYLE = `
:root { color-scheme: light dark; --page: #f6f7f9; --card: #fff; --ink: #16202c; --soft: #566273; --line: #d5dae1; --accent: #0b6e8a; --on: #fff; --bad: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --page: #10151b; --card: #18202a; --ink: #e8edf3; --soft: #9aa7b6; --line: #323d4a; --accent: #4fb3cf; --on: #07222b; --bad: #ff8a80; }
}
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { width: 100%; max-width: 24rem; padding: 2rem; background: var(--card); border: 1px solid var(--line); border-radius: 12px; }
h1 { margin: 0 0 .25rem; font-size: 1.4rem; }
p { margin: 0 0 1.25rem; color: var(--soft); }
.wrong { color: var(--bad); }
label { display: block; margin: 0 0 1rem; font-weight: 600; }
input { display: block; width: 100%; margin-top: .25rem; padding: .6rem .7rem; font: inherit; font-weight: 400; color: inherit; background: var(--page); border: 1px solid var(--line); border-radius: 8px; }
button { width: 100%; padding: .65rem; font: inherit; font-weight: 600; color: var(--on); background: var(--accent); border: 0; border-radius: 8px; cursor: pointer; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
`;

/** The pages have one style and no script. A form may lead on to the page that asked for the login. */
export const PAGE_POLICY = `default-src 'none'; img-src data:; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; base-uri 'none'; frame-ancestors 'none'`;

/** Asks for name and password; the names of the demonstration users are offered. */
export function loginPage(options: {
  accounts: readonly { username: string }[];
  username?: string;
  wrong?: boolean;
}): string {
  const { accounts, username = '', wrong = false } = options;
  const names = accounts.map((account) => `<option value="${escaped(account.username)}">`).join('');
  return page(
    'Log in',
    `<h1>Log in</h1>
    <p${wrong ? ' class="wrong" role="alert"' : ''}>${wrong ? 'Name or password is wrong.' : 'to see your reports'}</p>
    <form method="post">
      <label>Name<input name="username" list="names" value="${escaped(username)}" autocomplete="username" autocapitalize="none" required${wrong ? '' : ' autofocus'}></label>
      <datalist id="names">${names}</datalist>
      <label>Password<input name="password" type="password" autocomplete="current-password" required${wrong ? ' autofocus' : ''}></label>
      <button>Log in</button>
    </form>`,
  );
}

/** @param more.form HTML that is put below as it is. */
export function messagePage(title: string, message: string, { form = '' }: { form?: string } = {}): string {
  return page(title, `<h1>${escaped(title)}</h1><p>${escaped(message)}</p>${form}`);
}

function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escaped(title)}</title>
<link rel="icon" href="data:,"><style>${STYLE}</style></head>
<body><main>${body}</main></body>
</html>
`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
