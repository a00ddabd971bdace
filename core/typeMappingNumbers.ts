import { accurate, bitsDiffer, bitsOf, floatBits, floatBitsOf, numericText } from './conversions.ts';
import {
  type ElementForm,
  modifiers,
  plainConversion,
  quotedElement,
  type TypeRule,
  textConversion,
} from './typeMappingRule.ts';

/** Digits of the widest Decimal. */
const MAX_DECIMAL = 76;
/** A value of more bytes than this may be moved out of its row, and then an update does not carry it. */
const LARGEST_INLINE_BITS = 128;

/** An element that stands in the JSON text as it is: numbers and booleans. */
function bareElement(changes: Partial<ElementForm> = {}): ElementForm {
  return quotedElement({ show: (value) => `toString(${value})`, bare: () => '1', unavailable: 'null', ...changes });
}

function integer(
  postgres: string,
  name: string,
  clickhouse: string,
  unavailable: ElementForm['unavailable'],
): TypeRule {
  return {
    postgres,
    names: [name],
    clickhouse,
    note: 'Exact.',
    convert: () =>
      plainConversion({
        type: clickhouse,
        neutral: '0',
        parse: accurate(clickhouse),
        copied: 'typed',
        element: bareElement({ unavailable }),
      }),
  };
}

function float(postgres: string, name: string, clickhouse: string): TypeRule {
  const send = `${name}send`;
  const bits = (column: string) => `encode(${send}(${column}), 'hex')`;
  return {
    postgres,
    names: [name],
    clickhouse,
    note: 'Every bit is kept, NaN, the infinities and -0 as well.',
    convert: () =>
      plainConversion({
        type: clickhouse,
        neutral: '0',
        parse: accurate(clickhouse),
        copied: 'typed',
        canonical: { postgres: bits, clickhouse: floatBits, open: false },
        element: bareElement({
          // JSON has no word for NaN and the infinities, and reads -0 as 0.
          bare: (value) => `isFinite(${value}) AND toString(${value}) != '-0'`,
          canonical: { postgres: bits, clickhouse: (text) => floatBitsOf(text, clickhouse) },
        }),
      }),
  };
}

/** A Decimal with all digits of its scale, which both sides write: `1.50`. */
function decimal(precision: number, scale: number) {
  const type = `Decimal(${precision}, ${scale})`;
  const print = (value: string) => `toDecimalString(${value}, ${scale})`;
  return plainConversion({
    type,
    neutral: scale > 0 ? `0.${'0'.repeat(scale)}` : '0',
    parse: accurate(type),
    differs: (text, value) => `${print(value)} != ${text}`,
    canonical: { postgres: (column) => `${column}::text`, clickhouse: print, open: false },
    element: quotedElement({ show: print, unavailable: 'null' }),
  });
}

/** Numbers, booleans and bit strings. */
export const NUMBER_RULES: readonly TypeRule[] = [
  {
    postgres: 'boolean',
    names: ['bool'],
    clickhouse: 'Bool',
    note: 'Exact.',
    convert: () =>
      plainConversion({
        type: 'Bool',
        neutral: 'false',
        parse: accurate('Bool'),
        // ClickHouse also takes yes, on, 1 and more.
        differs: (text) => `${text} NOT IN ('t', 'f', 'true', 'false')`,
        copied: 'typed',
        element: bareElement(),
      }),
  },
  integer('smallint', 'int2', 'Int16', 'null'),
  integer('integer', 'int4', 'Int32', 'array of integers'),
  integer('bigint', 'int8', 'Int64', 'array of integers'),
  integer('oid', 'oid', 'UInt32', 'null'),
  float('real', 'float4', 'Float32'),
  float('double precision', 'float8', 'Float64'),
  {
    postgres: 'numeric(p, s)',
    names: ['numeric'],
    covers: (column) => modifiers(column).length > 0,
    clickhouse: 'Decimal(p, s)',
    note: 'Exact, with all digits of the scale. With more than 76 digits it is a String.',
    limits: [
      {
        lost: 'NaN is refused',
        remedy: "declare the column numeric, which is kept as text, or keep NaN out: CHECK (<column> <> 'NaN')",
        checks: ["<column> <> 'NaN'::numeric"],
        covers: (column) => Math.max(...modifiers(column)) <= MAX_DECIMAL,
      },
      {
        lost: 'a negative scale is loaded, but not streamed',
        remedy: 'give the column a scale of 0',
        streamOnly: true,
        covers: (column) => (modifiers(column)[1] ?? 0) < 0,
      },
    ],
    convert: (column) => {
      const [precision = 0, scale = 0] = modifiers(column);
      if (Math.max(precision, scale) > MAX_DECIMAL) return textConversion({ parse: numericText });
      if (scale >= 0) return { ...decimal(Math.max(precision, scale), scale), copied: 'typed' };
      if (precision - scale > MAX_DECIMAL) return textConversion({ parse: numericText });
      // Debezium takes a negative scale for one of 2048 and more digits.
      return { ...decimal(precision - scale, 0), streamed: false };
    },
  },
  {
    postgres: 'numeric',
    names: ['numeric'],
    clickhouse: 'String',
    note: "PostgreSQL's text with all its digits; NaN, Infinity and -Infinity as words.",
    convert: () => textConversion({ parse: numericText }),
  },
  {
    postgres: 'money',
    names: ['money'],
    clickhouse: 'Decimal(19, 2)',
    note: 'Exact.',
    limits: [
      {
        lost: 'amounts are refused where lc_monetary has another number of digits after the point than two',
        remedy: 'declare the column numeric',
      },
    ],
    convert: () => {
      const amount = (column: string) => `${column}::numeric::text`;
      const conversion = decimal(19, 2);
      const canonical = { ...conversion.canonical, postgres: amount };
      return { ...conversion, copy: amount, canonical, element: null };
    },
  },
  {
    postgres: 'bit(n)',
    names: ['bit'],
    clickhouse: 'String',
    note: 'Zeros and ones.',
    convert: (column) => {
      const [length = 1] = modifiers(column);
      return textConversion({
        neutral: '0'.repeat(length),
        parse: bitsOf(length),
        differs: bitsDiffer(length),
        unavailable: length > LARGEST_INLINE_BITS ? 'null' : 'strict',
      });
    },
  },
];
