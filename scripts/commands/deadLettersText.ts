import type { StoredDeadLetter } from '../../activities/deadLetters.ts';
import { formatLsn } from '../../core/lsn.ts';
import { prettyJson, visibleText } from '../../core/visibleText.ts';
import { formatTime, tableLines, WIDTH } from '../output.ts';

/** As `--json` prints a dead letter: bytes as base64, and as text where they are UTF-8. */
export function letterJson(letter: StoredDeadLetter): Record<string, unknown> {
  const { table, topic, partition, status, code, reason, key, value } = letter;
  return {
    ...{ table, topic, partition, offset: String(letter.offset), status, code, error: reason },
    lsn: letter.lsn === null ? null : formatLsn(letter.lsn),
    messageAt: new Date(letter.timestampMs).toISOString(),
    firstSeenAt: new Date(letter.firstSeenMs).toISOString(),
    replayedAt: letter.replayedMs === null ? null : new Date(letter.replayedMs).toISOString(),
    ...{ key: key && textOf(key), value: textOf(value), valueBase64: value.toString('base64') },
  };
}

/** Null for bytes that are no text. */
function textOf(bytes: Buffer): string | null {
  const text = bytes.toString('utf8');
  return Buffer.from(text).equals(bytes) ? text : null;
}

/** A line a letter, its error cut to fit the screen. */
export function listLines(
  pipeline: string,
  { letters, more }: { letters: readonly StoredDeadLetter[]; more: boolean },
): string[] {
  if (letters.length === 0) return [`${pipeline}: no dead letters`];
  const columns = [
    { title: 'table' },
    { title: 'offset' },
    { title: 'first seen' },
    { title: 'status' },
    { title: 'error' },
  ];
  const rows = letters.map((letter) => [
    visibleText(letter.table),
    `${letter.partition}:${letter.offset}`,
    formatTime(new Date(letter.firstSeenMs)),
    letter.status,
    `${letter.code}: ${visibleText(letter.reason)}`,
  ]);
  const lines = tableLines(columns, rows).map((line) => (line.length > WIDTH ? `${line.slice(0, WIDTH - 1)}…` : line));
  return more ? [...lines, 'There are more: raise --limit.'] : lines;
}

/** Everything about one letter. What it holds is written so that it cannot act on a terminal. */
export function letterLines(letter: StoredDeadLetter): string[] {
  const { table, topic, partition, offset, status, code, reason, key, value, replayedMs } = letter;
  const replayed = replayedMs === null ? '' : ` at ${formatTime(new Date(replayedMs))}`;
  const text = textOf(value);
  const pretty = text === null ? null : prettyJson(text);
  return [
    `${visibleText(table)}: ${topic}:${partition} at offset ${offset}`,
    `  status: ${status}${replayed}`,
    `  error: ${code}: the message ${visibleText(reason)}`,
    `  sent: ${formatTime(new Date(letter.timestampMs))}, first seen: ${formatTime(new Date(letter.firstSeenMs))}`,
    `  lsn: ${letter.lsn === null ? 'unknown' : formatLsn(letter.lsn)}`,
    `  key: ${key === null ? 'none' : visibleText(key)}`,
    `  value, ${value.length} bytes:`,
    ...visibleText(pretty ?? value, { lines: pretty !== null })
      .split('\n')
      .map((line) => `    ${line}`),
  ];
}
