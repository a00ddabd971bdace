/**
 * What a value means, as one text, from PostgreSQL's text and from ClickHouse's. Written from the two manuals, and on
 * purpose without the project's own conversions, which are what these tests judge.
 */
export interface Meaning {
  postgres: (text: string) => string;
  clickhouse: (text: string) => string;
}

/** A column's type as pg_type names it; `constrained` when it has modifiers, like numeric(10,2). */
export interface TypeName {
  name: string;
  constrained: boolean;
}

const same = (text: string) => text;
const both = (meaning: (text: string) => string): Meaning => ({ postgres: meaning, clickhouse: meaning });

/** An array's element names its type with an underscore before it. */
export function meaningOf(type: TypeName): Meaning {
  if (type.name.startsWith('_')) return arrayMeaning(meaningOf({ ...type, name: type.name.slice(1) }));
  if (type.name === 'numeric') return type.constrained ? both(withoutZeros) : both(same);
  return MEANINGS[type.name] ?? both(same);
}

const MEANINGS: Readonly<Record<string, Meaning>> = {
  bool: { postgres: (text) => (text === 't' ? 'true' : 'false'), clickhouse: same },
  float4: both((text) => numberText(Math.fround(toNumber(text)))),
  float8: both((text) => numberText(toNumber(text))),
  money: { postgres: (text) => withoutZeros(text.replaceAll(/[$,]/g, '')), clickhouse: withoutZeros },
  timestamp: both(sixDigits),
  timestamptz: { postgres: (text) => sixDigits(text.replace(/\+00$/, '')), clickhouse: sixDigits },
  timetz: both(timeInUtc),
  interval: { postgres: verboseInterval, clickhouse: isoInterval },
  bytea: { postgres: (text) => text.replace(/^\\x/, ''), clickhouse: (text) => text.toLowerCase() },
  hstore: both(sortedObject),
};

function withoutZeros(text: string): string {
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

function toNumber(text: string): number {
  const words: Record<string, number> = { nan: Number.NaN, inf: Number.POSITIVE_INFINITY, '-inf': -Infinity };
  return words[text.toLowerCase().replace('infinity', 'inf')] ?? Number(text);
}

function numberText(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

/** Microseconds with all their digits: `03:04:05.1` as `03:04:05.100000`. Words such as infinity stay. */
function sixDigits(text: string): string {
  const match = /^(.*:\d\d)(?:\.(\d+))?$/.exec(text);
  return match ? `${match[1]}.${(match[2] ?? '').padEnd(6, '0')}` : text;
}

const DAY = 86_400_000_000n;

/** Microseconds since midnight in UTC. */
function timeInUtc(text: string): string {
  const match = /^(\d\d):(\d\d):(\d\d(?:\.\d+)?)(?:([+-])(\d\d)(?::(\d\d))?(?::(\d\d))?)?$/.exec(text);
  if (!match) return text;
  const [, hours, minutes, seconds, sign, ...offset] = match;
  const local = micros(hours, minutes, seconds);
  const east = micros(offset[0], offset[1], offset[2]);
  const utc = sign === '-' ? local + east : local - east;
  return String(((utc % DAY) + DAY) % DAY);
}

function micros(hours = '0', minutes = '0', seconds = '0'): bigint {
  const [whole = '0', fraction = ''] = seconds.split('.');
  const total = (BigInt(hours) * 60n + BigInt(minutes)) * 60n + BigInt(whole);
  return total * 1_000_000n + BigInt(fraction.padEnd(6, '0'));
}

/** `1 year 2 mons 3 days -04:05:06.7` as months, days and microseconds, which is what PostgreSQL stores. */
function verboseInterval(text: string): string {
  const unit = (name: string) => BigInt(new RegExp(`([-+]?\\d+) ${name}s?`).exec(text)?.[1]?.replace('+', '') ?? 0);
  const time = /([-+]?)(\d+):(\d\d):(\d\d(?:\.\d+)?)/.exec(text);
  const clock = time ? micros(time[2], time[3], time[4]) * (time[1] === '-' ? -1n : 1n) : 0n;
  if (!time && !/\d/.test(text)) return text;
  return `${unit('year') * 12n + unit('mon')} ${unit('day')} ${clock}`;
}

/** `P1Y2M3DT-4H-5M-6.7S` likewise. */
function isoInterval(text: string): string {
  const match = /^P(-?\d+)Y(-?\d+)M(-?\d+)DT(-?\d+)H(-?\d+)M(-?)(\d+(?:\.\d{1,6})?)S$/.exec(text);
  if (!match) return text;
  const [years, months, days, hours, minutes] = match.slice(1, 6).map(BigInt) as [
    bigint,
    bigint,
    bigint,
    bigint,
    bigint,
  ];
  const seconds = micros('0', '0', match[7]) * (match[6] === '-' ? -1n : 1n);
  return `${years * 12n + months} ${days} ${(hours * 60n + minutes) * 60_000_000n + seconds}`;
}

function sortedObject(json: string): string {
  const entries = Object.entries(JSON.parse(json) as Record<string, string | null>);
  return JSON.stringify(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

type Nested = string | null | Nested[];

function arrayMeaning(element: Meaning): Meaning {
  return {
    postgres: (text) => JSON.stringify(mapElements(arrayLiteral(text), element.postgres)),
    clickhouse: (text) => JSON.stringify(mapElements(jsonTexts(text), element.clickhouse)),
  };
}

function mapElements(value: Nested, meaning: (text: string) => string): Nested {
  if (value === null) return null;
  return typeof value === 'string' ? meaning(value) : value.map((each) => mapElements(each, meaning));
}

/** JSON with numbers and booleans as they are written, since a number of JavaScript would lose digits. */
function jsonTexts(json: string): Nested {
  return JSON.parse(json, (_key, value: unknown, context?: { source?: string }) =>
    typeof value === 'number' || typeof value === 'boolean' ? context?.source : value,
  ) as Nested;
}

/** `{1,NULL,"a \"b\""}` and deeper ones, with or without bounds before them. */
function arrayLiteral(text: string): Nested {
  let at = text.indexOf('{');
  const list = (): Nested[] => {
    const items: Nested[] = [];
    at++;
    while (text[at] !== '}') {
      items.push(text[at] === '{' ? list() : text[at] === '"' ? quoted() : bare());
      if (text[at] === ',') at++;
    }
    at++;
    return items;
  };
  const quoted = (): string => {
    let value = '';
    for (at++; text[at] !== '"'; at++) value += text[at] === '\\' ? text[++at] : text[at];
    at++;
    return value;
  };
  const bare = (): string | null => {
    const start = at;
    while (text[at] !== ',' && text[at] !== '}') at++;
    const value = text.slice(start, at);
    return value === 'NULL' ? null : value;
  };
  return list();
}
