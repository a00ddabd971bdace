const UNITS = { s: 1, m: 60, h: 3600, d: 86_400 } as const;

/** The seconds of a length of time like `90s` or `2h`. @param text a whole number with s, m, h or d. */
export function secondsOf(text: string): number {
  return Number(text.slice(0, -1)) * UNITS[text.at(-1) as keyof typeof UNITS];
}
