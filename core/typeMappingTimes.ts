import { accurate, before, copiedTimestampDiffers, timestampDiffers, timestampOf } from './conversions.ts';
import { chLiteral } from './identifiers.ts';
import { plainConversion, quotedElement, type TypeLimit, type TypeRule, textConversion } from './typeMappingRule.ts';

const withoutZ = (text: string) => before('Z', text);
const shown = (value: string) => `toString(${value})`;

/**
 * The time stamp as PostgreSQL writes it, without zeros at its end: `2020-01-02 03:04:05.1`. A cast to text in a session
 * with DateStyle ISO costs a third of to_char.
 */
const trimmed = (value: string) => `trim(TRAILING '.' FROM trim(TRAILING '0' FROM toString(${value})))`;

function timestamp(postgres: string, name: string, written: (column: string) => string): TypeRule {
  const [full, zone] =
    name === 'timestamptz' ? ['timestamp with time zone', '+00'] : ['timestamp without time zone', ''];
  return {
    postgres,
    names: [name],
    clickhouse: "DateTime64(6, 'UTC')",
    note: 'Exact to the microsecond.',
    limits: [
      {
        lost: 'infinity, years before Christ and years after 9999 are refused',
        remedy: "keep them out: CHECK (<column> >= '0001-01-01' AND <column> < '10000-01-01')",
        checks: [
          `<column> >= '0001-01-01 00:00:00${zone}'::${full}`,
          `<column> < '10000-01-01 00:00:00${zone}'::${full}`,
        ],
      },
    ],
    convert: () =>
      plainConversion({
        type: "DateTime64(6, 'UTC')",
        neutral: '1970-01-01 00:00:00',
        parse: timestampOf,
        differs: timestampDiffers,
        copied: copiedTimestampDiffers,
        canonical: { postgres: written, clickhouse: trimmed, open: false },
        element: quotedElement({
          show: trimmed,
          canonical: { postgres: written, clickhouse: (text) => text },
          unavailable: 'null',
        }),
      }),
  };
}

/** Each unit of an interval apart, as Debezium writes them: `P1Y2M3DT4H5M6.7S`. */
function intervalText(column: string): string {
  const part = (unit: string) => `extract(${unit} FROM ${column})`;
  const units = ['year', 'month', 'day', 'hour', 'minute'].map(part);
  return `format('P%sY%sM%sDT%sH%sM%sS', ${units.join(', ')}, trim_scale(${part('second')}))`;
}

/** Debezium computes seconds in floating point (-2.744 becomes -2.743999999), so they are rounded to microseconds again. */
function wholeMicroseconds(text: string): string {
  const seconds = `extract(${text}, 'M(-?[0-9.]+)S$')`;
  const rounded = `toString(round(toDecimal64OrZero(${seconds}, 9), 6))`;
  return `concat(substring(${text}, 1, length(${text}) - length(${seconds}) - 1), ${rounded}, 'S')`;
}

/** Debezium sends 24:00:00 so as well. A load writes no Z. */
const isMidnight = (text: string) => `${text} = '00:00:00Z'`;

const MIDNIGHT: TypeLimit = {
  lost: '00:00:00 is refused, since Debezium sends 24:00:00 as the same',
  remedy: "rule the other out: CHECK (<column> < '24:00')",
  checks: ["<column> < '24:00:00'::time without time zone"],
  streamOnly: true,
  unlessReread: true,
};

/** An interval of nothing, which Debezium also sends for infinity. */
const ZERO = 'P0Y0M0DT0H0M0S';

/** Dates, times and intervals. */
export const TIME_RULES: readonly TypeRule[] = [
  {
    postgres: 'date',
    names: ['date'],
    clickhouse: 'Date32',
    note: 'Exact.',
    limits: [
      {
        lost: 'dates outside 1900-01-01 to 2299-12-31 and infinity are refused',
        remedy:
          "declare the column timestamp, or keep them out: CHECK (<column> BETWEEN '1900-01-01' AND '2299-12-31')",
        checks: ["<column> >= '1900-01-01'::date", "<column> <= '2299-12-31'::date"],
      },
    ],
    convert: () =>
      plainConversion({
        type: 'Date32',
        neutral: '1970-01-01',
        parse: (text) => accurate('Date32')(withoutZ(text)),
        // ClickHouse clamps other years and counts 30 February on, silently.
        differs: (text, value) => `toString(${value}) != ${withoutZ(text)}`,
        element: quotedElement({ show: shown, unavailable: 'null' }),
      }),
  },
  timestamp('timestamp', 'timestamp', (column) => `${column}::text`),
  timestamp('timestamptz', 'timestamptz', (column) => `(${column} AT TIME ZONE 'UTC')::text`),
  {
    postgres: 'time',
    names: ['time'],
    clickhouse: 'String',
    note: "PostgreSQL's text.",
    limits: [MIDNIGHT],
    convert: () =>
      textConversion({
        parse: withoutZ,
        unavailable: 'strict',
        doubtful: isMidnight,
        element: quotedElement({ show: (value) => value, unavailable: 'null', doubtful: isMidnight }),
      }),
  },
  {
    postgres: 'timetz',
    names: ['timetz'],
    clickhouse: 'String',
    note: 'The time in UTC, without the offset, which Debezium does not carry.',
    limits: [
      { lost: 'the offset is not kept', remedy: 'keep the offset in a column of its own' },
      {
        ...MIDNIGHT,
        remedy: "rule the other out: CHECK (<column>::time < '24:00')",
        checks: ["(<column>)::time without time zone < '24:00:00'::time without time zone"],
      },
    ],
    convert: () => {
      const utc = (column: string) => `(${column} AT TIME ZONE 'UTC')::time::text`;
      return textConversion({
        parse: withoutZ,
        copy: utc,
        canonical: { postgres: utc, clickhouse: (column) => column, open: true },
        unavailable: 'strict',
        doubtful: isMidnight,
      });
    },
  },
  {
    postgres: 'interval',
    names: ['interval'],
    clickhouse: 'String',
    note: 'Each unit apart: P1Y2M3DT4H5M6.7S.',
    limits: [
      {
        lost: 'infinity is refused',
        remedy: 'keep it out: CHECK (isfinite(<column>))',
        checks: ['isfinite(<column>)'],
      },
      {
        lost: 'zero is refused, since Debezium sends infinity as the same',
        remedy: 'rule the other out: CHECK (isfinite(<column>))',
        checks: ['isfinite(<column>)'],
        streamOnly: true,
        unlessReread: true,
      },
    ],
    convert: () =>
      textConversion({
        neutral: ZERO,
        parse: wholeMicroseconds,
        doubtful: (text) => `${text} = ${chLiteral(ZERO)}`,
        copy: (column) => `CASE WHEN ${column} IS NOT NULL THEN ${intervalText(column)} END`,
        differs: (text) =>
          `NOT match(${text}, '^P-?[0-9]+Y-?[0-9]+M-?[0-9]+DT-?[0-9]+H-?[0-9]+M-?[0-9]+([.][0-9]{1,9})?S$')`,
        canonical: { postgres: intervalText, clickhouse: (column) => column, open: true },
        unavailable: 'strict',
      }),
  },
];
