#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { type LoginConfig, startLogin } from './provider.ts';

/** The local login provider as a process: `node stack/login/main.ts FILE`, ended by SIGTERM. */
const file = process.argv[2];
if (file === undefined) {
  console.error('Usage: node stack/login/main.ts FILE');
  process.exit(2);
}
const server = await startLogin(JSON.parse(readFileSync(file, 'utf8')) as LoginConfig);
console.log(`the login provider is ready on ${server.issuer}`);
for (const name of ['SIGTERM', 'SIGINT'] as const)
  process.on(name, () => void server.close().then(() => process.exit(0)));
