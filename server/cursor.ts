import { isDay } from '../core/days.ts';

/** The place of a row in a report: the next page begins behind it. */
export interface Place {
  day: string;
  item: string;
}

export function writeCursor({ day, item }: Place): string {
  return Buffer.from(`${day},${item}`).toString('base64url');
}

/** Undefined for what writeCursor did not write. */
export function readCursor(cursor: string): Place | undefined {
  const [, day, item] = /^(\d{4}-\d\d-\d\d),(-?\d{1,18})$/.exec(Buffer.from(cursor, 'base64url').toString()) ?? [];
  if (day === undefined || item === undefined || !isDay(day)) return undefined;
  return writeCursor({ day, item }) === cursor ? { day, item } : undefined;
}
