import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import proto from '@temporalio/proto';

const { History } = proto.temporal.api.history.v1;
type Events = Parameters<typeof History.fromObject>[0];

/** Folder of the recorded histories. */
export const HISTORIES = new URL('./histories/', import.meta.url);

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Writes a history as readable JSON: enums by name, long integers and bytes as text. */
export function writeHistory(name: string, history: Events): void {
  const plain = History.toObject(History.fromObject(history), { enums: String, longs: String, bytes: String });
  // Stack traces name files; where the checkout lies is nobody's business.
  const text = JSON.stringify(plain, null, 1).replaceAll(`file://${ROOT}`, '').replaceAll(ROOT, '');
  writeFileSync(new URL(`${name}.json`, HISTORIES), `${text}\n`);
}

/** Reads what writeHistory wrote, in the form that the worker replays. */
export function readHistory(file: string): ReturnType<typeof History.fromObject> {
  return History.fromObject(JSON.parse(readFileSync(new URL(file, HISTORIES), 'utf8')));
}
