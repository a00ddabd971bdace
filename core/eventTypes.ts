import { accurate } from './conversions.ts';
import { chLiteral } from './identifiers.ts';
import type { Conversion } from './typeMappingRule.ts';

/**
 * The types that columns of event topics may have, and how a value gets from JSON into them. What counts is a value's
 * text, not whether it stands in quotes: `5` and `"5"` are the same number, and a String takes any value as it is written.
 */
const PLAIN = ['String', 'LowCardinality(String)', 'Bool', 'UUID', 'Float32', 'Float64'];
const INTEGERS = ['Int8', 'Int16', 'Int32', 'Int64', 'UInt8', 'UInt16', 'UInt32', 'UInt64'];
const DATES = ['Date', 'Date32'];
const TIMES = ['DateTime', 'DateTime64(3)', 'DateTime64(6)'];

/** The types by name; those with parameters are written with them. */
export const EVENT_TYPE_NAMES: readonly string[] = [...PLAIN, ...INTEGERS, ...DATES, ...TIMES, 'Decimal(p, s)'];

const DECIMAL = /^Decimal\((\d{1,2}), ?(\d{1,2})\)$/;
const NAMES = [...PLAIN, ...INTEGERS, ...DATES, ...TIMES].map((name) => name.replaceAll(/[()]/g, '\\$&'));

/** Matches a type as definitions write it; a Decimal of up to 76 digits. */
export const EVENT_TYPE = new RegExp(
  `^(?:${NAMES.join('|')}|Decimal\\((?:[1-9]|[1-6]\\d|7[0-6]), ?(?:\\d|[1-6]\\d|7[0-6])\\))$`,
);

export function isTimeType(type: string): boolean {
  return TIMES.includes(type);
}

/** What a column of an event topic is converted by. */
export type EventConversion = Pick<Conversion, 'type' | 'neutral' | 'parse' | 'differs'>;

/**
 * The conversion of a type that EVENT_TYPE matches. Everything that the type does not hold exactly is refused, but for the
 * digits of a floating point number.
 * @param epoch for times that are numbers.
 */
export function eventConversion(type: string, epoch: 'seconds' | 'milliseconds' | null): EventConversion {
  if (isTimeType(type)) return epoch === null ? writtenTime(type) : countedTime(type, epoch);
  if (DATES.includes(type)) {
    // ClickHouse clamps other years and counts 30 February on, silently.
    const differs = (text: string, value: string) => `toString(${value}) != ${text}`;
    return { type, neutral: '1970-01-01', parse: accurate(type), differs };
  }
  const decimal = DECIMAL.exec(type);
  if (decimal)
    return decimalNumber({ type, whole: Number(decimal[1]) - Number(decimal[2]), scale: Number(decimal[2]) });
  if (type.endsWith('String)') || type === 'String') return { type, neutral: '', parse: null, differs: null };
  if (type === 'UUID') {
    return { type, neutral: '00000000-0000-0000-0000-000000000000', parse: accurate(type), differs: null };
  }
  if (type === 'Bool') {
    // ClickHouse also takes yes, on, 1 and more.
    return { type, neutral: 'false', parse: accurate(type), differs: (text) => `${text} NOT IN ('true', 'false')` };
  }
  return { type, neutral: '0', parse: accurate(type), differs: null };
}

/** ClickHouse cuts further digits off silently, and does not check the first ones. */
function decimalNumber({ type, whole, scale }: { type: string; whole: number; scale: number }): EventConversion {
  const digits = whole > 0 ? `[0-9]{1,${whole}}` : '';
  const pattern = chLiteral(`^-?0*${digits}([.][0-9]{0,${scale}}0*)?$`);
  return { type, neutral: '0', parse: accurate(type), differs: (text) => `NOT match(${text}, ${pattern})` };
}

function stored(type: string): string {
  return type === 'DateTime' ? "DateTime('UTC')" : type.replace(')', ", 'UTC')");
}

const WRITTEN = '^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?(Z|[+-][0-9]{2}:?[0-9]{2})?$';

/**
 * ISO 8601; without an offset it is UTC. ClickHouse clamps what a type cannot hold and drops further digits, silently: so
 * the clock's reading, apart from its offset, must come back as it was written.
 */
function writtenTime(type: string): EventConversion {
  const target = stored(type);
  const parse = (text: string) => `CAST(parseDateTime64BestEffort(${text}, 6, 'UTC'), ${chLiteral(target)})`;
  const reading = (text: string) =>
    `replaceOne(replaceRegexpOne(${text}, '(Z|[+-][0-9]{2}:?[0-9]{2})$', ''), 'T', ' ')`;
  const digits = (text: string) => `if(position(${text}, '.') > 0, replaceRegexpOne(${text}, '[.]?0+$', ''), ${text})`;
  const differs = (text: string) =>
    `NOT match(${text}, ${chLiteral(WRITTEN)}) OR NOT startsWith(toString(${parse(reading(text))}), ${digits(reading(text))})`;
  return { type: target, neutral: '1970-01-01 00:00:00', parse, differs };
}

/** A number of seconds, perhaps with a fraction, or of whole milliseconds. */
function countedTime(type: string, epoch: 'seconds' | 'milliseconds'): EventConversion {
  const target = stored(type);
  const typed = (value: string) => `CAST(${value}, ${chLiteral(target)})`;
  if (epoch === 'milliseconds') {
    const count = accurate('Int64');
    return {
      ...{ type: target, neutral: '0' },
      parse: (text) => typed(`fromUnixTimestamp64Milli(${count(text)}, 'UTC')`),
      differs: (text, value) => `toUnixTimestamp64Milli(toDateTime64(${value}, 3, 'UTC')) != ${count(text)}`,
    };
  }
  const count = accurate('Decimal(20, 6)');
  return {
    ...{ type: target, neutral: '0' },
    parse: (text) => typed(`toDateTime64(${count(text)}, 6, 'UTC')`),
    differs: (text, value) =>
      `NOT match(${text}, '^-?[0-9]{1,12}([.][0-9]{0,6}0*)?$') OR ` +
      `toDecimal128(toDateTime64(${value}, 6, 'UTC'), 6) != ${count(text)}`,
  };
}
