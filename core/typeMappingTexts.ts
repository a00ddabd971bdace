import { accurate, hexDiffers, hexDigits, ofJson, sortedObject } from './conversions.ts';
import { plainConversion, quotedElement, type TypeRule, textConversion } from './typeMappingRule.ts';

/** A type whose text is the value, in both forms. */
function text(postgres: string, names: readonly string[], note = "PostgreSQL's text."): TypeRule {
  return {
    postgres,
    names,
    clickhouse: 'String',
    note,
    convert: () => textConversion({ element: quotedElement() }),
  };
}

/** Debezium leaves arrays of these out of its messages, or sends NULL. */
function withoutArrays(rule: TypeRule): TypeRule {
  return { ...rule, convert: (column) => ({ ...rule.convert(column), element: null }) };
}

/** Types whose cast to text is not what they are written as: char(n) loses blanks, inet gains a mask. */
function written(postgres: string, name: string, note: string): TypeRule {
  const canonical = { postgres: (value: string) => `concat(${value})`, clickhouse: (value: string) => value };
  const copy = (column: string) => `array_to_json(${column})`;
  return {
    postgres,
    names: [name],
    clickhouse: 'String',
    note,
    convert: () =>
      textConversion({ canonical: { ...canonical, open: true }, element: quotedElement({ copy, canonical }) }),
  };
}

/** Types that Debezium does not know: it sends their text as bytes, so COPY selects the same. */
function bytesOfText(postgres: string, names: readonly string[], kind?: string): TypeRule {
  return {
    postgres,
    names,
    ...(kind && { covers: (column) => column.typeKind === kind }),
    clickhouse: 'String',
    note: "PostgreSQL's text.",
    convert: () =>
      textConversion({
        parse: (hex) => `unhex(${hex})`,
        differs: (hex, value) => `lower(hex(${value})) != ${hex}`,
        copy: (column) => `encode(convert_to(${column}::text, 'UTF8'), 'hex')`,
        unavailable: 'strict',
      }),
  };
}

/** Pairs of a key and a text or NULL, in the keys' order, each with its length. */
const HSTORE_CANONICAL = {
  postgres: (column: string) =>
    `(SELECT '{' || coalesce(string_agg(octet_length(key) || ':' || key || coalesce(octet_length(value) || ':' || value, '~'), ''` +
    ` ORDER BY key COLLATE "C"), '') FROM json_each_text(${column}::json))`,
  clickhouse: (column: string) =>
    ofJson(
      column,
      "concat('{', arrayStringConcat(arrayMap(pair -> concat(toString(length(pair.1)), ':', pair.1, " +
        "if(isNull(pair.2), '~', concat(toString(length(assumeNotNull(pair.2))), ':', assumeNotNull(pair.2)))), " +
        `arraySort(pair -> pair.1, JSONExtractKeysAndValues(${column}, 'Nullable(String)')))))`,
    ),
  open: false,
};

/** Texts, documents, network addresses, ranges, UUIDs and bytes. */
export const TEXT_RULES: readonly TypeRule[] = [
  text('text, varchar', ['text', 'varchar', 'citext']),
  written('char(n)', 'bpchar', 'With the blanks that fill it up to its length.'),
  withoutArrays(text('name', ['name'])),
  text('"char"', ['char']),
  text('json', ['json'], "PostgreSQL's text, blanks and the order of keys included."),
  text('jsonb', ['jsonb'], "PostgreSQL's text. JSON null is the text null, SQL NULL is NULL."),
  withoutArrays(text('xml', ['xml'])),
  written('inet', 'inet', "PostgreSQL's text; an address without a mask stays without."),
  text('cidr, macaddr, macaddr8', ['cidr', 'macaddr', 'macaddr8']),
  withoutArrays(text('tsvector', ['tsvector'])),
  {
    ...text('range types', [], "PostgreSQL's text. Kafka Connect must run in UTC for tstzrange."),
    covers: (column) => column.typeKind === 'r',
  },
  {
    postgres: 'enum types',
    names: [],
    covers: (column) => column.typeKind === 'e',
    clickhouse: 'LowCardinality(String)',
    note: 'The label; labels that are added later need no change.',
    convert: () => textConversion({ type: 'LowCardinality(String)', unavailable: 'strict' }),
  },
  {
    postgres: 'uuid',
    names: ['uuid'],
    clickhouse: 'UUID',
    note: 'Exact.',
    convert: () =>
      plainConversion({
        type: 'UUID',
        neutral: '00000000-0000-0000-0000-000000000000',
        parse: accurate('UUID'),
        copied: 'typed',
        element: quotedElement({ show: (value) => `toString(${value})`, unavailable: 'array of uuid' }),
      }),
  },
  {
    postgres: 'bytea',
    names: ['bytea'],
    clickhouse: 'String',
    note: 'The bytes themselves; inside an array, hexadecimal digits.',
    convert: () =>
      textConversion({
        parse: (hex) => `unhex(${hexDigits(hex)})`,
        differs: hexDiffers,
        // Hashed, because concatenating bytes with text is not possible in PostgreSQL, and digits would double them.
        canonical: {
          postgres: (column) => `md5(${column})`,
          clickhouse: (column) => `lower(hex(MD5(${column})))`,
          open: false,
        },
        unavailable: 'strict',
        element: quotedElement({
          show: (value) => `lower(hex(${value}))`,
          canonical: { postgres: (element) => `encode(${element}, 'hex')`, clickhouse: (digits) => digits },
          unavailable: 'null',
        }),
      }),
  },
  {
    postgres: 'hstore',
    names: ['hstore'],
    clickhouse: 'String',
    note: 'A JSON object of texts and nulls, its keys sorted.',
    convert: () =>
      textConversion({
        neutral: '{}',
        parse: sortedObject,
        differs: (json) => `NOT isValidJSON(${json}) OR NOT startsWith(${json}, '{')`,
        copy: (column) => `${column}::json`,
        canonical: HSTORE_CANONICAL,
        unavailable: 'object',
      }),
  },
  bytesOfText('composite types', [], 'c'),
  bytesOfText('multirange types', [], 'm'),
  bytesOfText('pg_lsn, tsquery, xid, xid8, jsonpath', ['pg_lsn', 'tsquery', 'xid', 'xid8', 'jsonpath']),
];
