import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeFileAtomically } from '../files.ts';
import type { LoginConfig } from '../login/provider.ts';
import type { Service } from '../service.ts';

const main = fileURLToPath(new URL('../login/main.ts', import.meta.url));

/** A provider of OpenID Connect with demonstration users, for the local report service. */
export function login(config: LoginConfig): Service {
  return {
    name: 'login',
    ending: [{ signal: 'SIGTERM', graceMs: 5000 }],
    missingTools: async () => [],
    async prepare({ home }) {
      const file = join(home.config, 'login.json');
      writeFileAtomically(file, JSON.stringify(config), 0o600);
      return { file: process.execPath, args: [main, file] };
    },
    check: () => answers(`http://127.0.0.1:${config.port}/.well-known/openid-configuration`),
    env: () => ({}),
  };
}

/** @throws Error unless a GET is answered with 200. */
export async function answers(url: string): Promise<void> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(5000) });
  await answer.body?.cancel();
  if (!answer.ok) throw new Error(`GET ${url} answered ${answer.status}`);
}
