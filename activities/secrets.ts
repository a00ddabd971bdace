import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Environment } from '../adapters/environment.ts';
import { messageOf, TidegateError } from '../core/errors.ts';

/**
 * Gives Kafka Connect a source's password by a file that only it and this user can read, so that the password is in no
 * configuration, log or workflow history. The file is written to CONNECT_SECRETS_DIR; when Kafka Connect sees that folder
 * under another path (in its container), CONNECT_SECRETS_MOUNT is that path.
 * @returns the reference for the connector's configuration.
 * @throws TidegateError INVALID_SETTING when the folder is not set or cannot be written.
 */
export async function writeConnectorSecret(
  environment: Environment,
  { pipeline, password }: { pipeline: string; password: string },
): Promise<string> {
  const folder = environment.required('CONNECT_SECRETS_DIR');
  const file = join(folder, `${pipeline}.properties`);
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await writePrivately(file, `password=${escapeProperty(password)}\n`);
  } catch (cause) {
    throw new TidegateError('INVALID_SETTING', `the connector's password cannot be written to ${folder}`, {
      remedy: `Let CONNECT_SECRETS_DIR name a folder that this process may write. It failed with: ${messageOf(cause)}`,
      cause,
    });
  }
  const seenByConnect = environment.optional('CONNECT_SECRETS_MOUNT') ?? folder;
  return `\${file:${join(seenByConnect, `${pipeline}.properties`)}:password}`;
}

/** Replaces the file in one step, and not at all when it says the same already. */
async function writePrivately(file: string, content: string): Promise<void> {
  const present = await readFile(file, 'utf8').catch(() => null);
  if (present === content) {
    await chmod(file, 0o600);
    return;
  }
  const temporary = `${file}.${randomBytes(6).toString('hex')}`;
  try {
    await writeFile(temporary, content, { mode: 0o600, flag: 'wx' });
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Escapes a value for a Java properties file; beyond ASCII it does not depend on the encoding the file is read in. */
export function escapeProperty(value: string): string {
  const named: Record<string, string> = {
    '\\': '\\\\',
    '\n': '\\n',
    '\r': '\\r',
    '\t': '\\t',
    '\f': '\\f',
    ' ': '\\ ',
  };
  let escaped = '';
  for (let index = 0; index < value.length; index++) {
    const unit = value.charCodeAt(index);
    const printable = unit > 0x20 && unit < 0x7f;
    escaped += named[value[index]!] ?? (printable ? value[index] : `\\u${unit.toString(16).padStart(4, '0')}`);
  }
  return escaped;
}
