import { chLiteral } from './identifiers.ts';

/**
 * ClickHouse expressions that the type rules are built from. `text` is an expression of type String that is never NULL,
 * as Debezium or COPY wrote the value; both forms go through the same expression.
 */

/** The text up to a character that only one of the two forms has, or all of it. */
export function before(character: string, text: string): string {
  return `substringIndex(${text}, ${chLiteral(character)}, 1)`;
}

/** Strict for integers, UUIDs and booleans: overflow, blanks and leftovers raise. */
export function accurate(type: string): (text: string) => string {
  return (text) => `accurateCast(${text}, ${chLiteral(type)})`;
}

/** Both `2020-01-02T03:04:05.1Z` and `2020-01-02 03:04:05.1+00`, to the microsecond. */
export function timestampOf(text: string): string {
  return `parseDateTime64BestEffort(${text}, 6, 'UTC')`;
}

/**
 * True when a time stamp is not what its text says. ClickHouse clamps what it cannot hold, silently; so the value's text,
 * which has all six digits of microseconds, must begin with the source's.
 */
export function timestampDiffers(text: string, value: string): string {
  return `NOT startsWith(toString(${value}), replaceOne(${before('+', before('Z', text))}, 'T', ' '))`;
}

/**
 * The same for what PostgreSQL itself wrote: years of more than four digits and BC aside, only a value that was clamped, to
 * the first or the last day that there is, can be another than its text says. Comparing texts costs more than parsing.
 */
export function copiedTimestampDiffers(text: string, value: string): string {
  const between = `${value} > toDateTime64('1900-01-02', 6, 'UTC') AND ${value} < toDateTime64('2299-12-30', 6, 'UTC')`;
  const plain = `substring(${text}, 5, 1) = '-' AND NOT endsWith(${text}, 'C')`;
  return `if(${between} AND ${plain}, 0, ${timestampDiffers(text, value)})`;
}

/** `\xdead` as COPY writes it and `dead` as Debezium does, as lower-case digits. */
export function hexDigits(text: string): string {
  return `if(startsWith(${text}, '\\\\x'), substring(${text}, 3), ${text})`;
}

/** True when the digits were not hexadecimal, which unhex does not say. */
export function hexDiffers(text: string, value: string): string {
  return `lower(hex(${value})) != ${hexDigits(text)}`;
}

/** Debezium's names for what PostgreSQL writes as NaN, Infinity and -Infinity. */
export function numericText(text: string): string {
  const from = "['NAN', 'POSITIVE_INFINITY', 'NEGATIVE_INFINITY']";
  return `transform(${text}, ${from}, ['NaN', 'Infinity', '-Infinity'], ${text})`;
}

/**
 * A bit string as zeros and ones. Debezium sends its bytes in base64, the last byte first and leading zeros left out; a
 * single bit as a boolean.
 */
export function bitsOf(length: number): (text: string) => string {
  if (length === 1) return (text) => `if(${text} IN ('1', 'true'), '1', '0')`;
  return (text) => `if(${isBits(text, length)}, ${text}, right(${bitsOfBytes(text, length)}, ${length}))`;
}

/** True when there were more bits than the column has, or something else than bits. */
export function bitsDiffer(length: number): (text: string) => string {
  if (length === 1) return (text) => `${text} NOT IN ('0', '1', 'false', 'true')`;
  return (text) => {
    const bits = bitsOfBytes(text, length);
    return `NOT ${isBits(text, length)} AND position(substring(${bits}, 1, length(${bits}) - ${length}), '1') > 0`;
  };
}

/** True for what COPY writes; base64 has another length. */
function isBits(text: string, length: number): string {
  return `(length(${text}) = ${length} AND match(${text}, '^[01]+$'))`;
}

function bitsOfBytes(text: string, length: number): string {
  return `concat(repeat('0', ${length}), bin(reverse(base64Decode(${text}))))`;
}

/** A JSON object of texts with its keys sorted, so that both forms become the same text. */
export function sortedObject(text: string): string {
  const pairs = `arraySort(JSONExtractKeysAndValuesRaw(${text}))`;
  return `concat('{', arrayStringConcat(arrayMap(pair -> concat(toJSONString(pair.1), ':', pair.2), ${pairs}), ','), '}')`;
}

/** The bits of a float in hexadecimal, the sign first, as PostgreSQL's float8send gives them. */
export function floatBits(value: string): string {
  return `lower(hex(reverse(reinterpretAsFixedString(${value}))))`;
}

/** Likewise of a stored text, which is shown as it is when it is no float. */
export function floatBitsOf(text: string, type: string): string {
  const value = `accurateCastOrNull(${text}, ${chLiteral(type)})`;
  return `if(isNull(${value}), concat('!', ${text}), ${floatBits(`assumeNotNull(${value})`)})`;
}

/** An expression that reads a stored JSON text; a text that is none is shown as it is, not taken for an empty one. */
export function ofJson(text: string, expression: string): string {
  return `if(isValidJSON(${text}), ${expression}, concat('!', ${text}))`;
}
