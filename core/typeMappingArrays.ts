import type { SourceColumn } from './catalog.ts';
import { ofJson } from './conversions.ts';
import { chLiteral } from './identifiers.ts';
import { type Conversion, type ElementForm, type TypeLimit, textConversion } from './typeMappingRule.ts';

/** How arrays are kept, for the documentation. */
export const ARRAY_NOTE =
  'JSON text: numbers and booleans bare, everything else quoted. NULL, empty arrays and NULL elements are kept apart; ' +
  'lower bounds are not kept.';

const ONE_DIMENSION = ['array_ndims(<column>) = 1'];

/** What is refused or changed in every array, besides what is in its elements. */
export const ARRAY_LIMITS: readonly TypeLimit[] = [
  {
    lost: 'more than one dimension is refused',
    remedy: 'keep it out: CHECK (array_ndims(<column>) = 1)',
    checks: ONE_DIMENSION,
  },
  {
    lost: 'an array of NULLs alone is refused, since Debezium sends one of more dimensions as the same',
    remedy: 'rule the other out: CHECK (array_ndims(<column>) = 1)',
    checks: ONE_DIMENSION,
    streamOnly: true,
    unlessReread: true,
  },
];

/** What Java writes for an array inside an array of texts: `[Ljava.lang.String;@1b6d3586`. */
const JAVA_ARRAY = '^\\[+L[A-Za-z.]+;@[0-9a-f]+$';

/**
 * Arrays are kept as JSON text, because ClickHouse has no NULL beside an empty array, and the elements are converted
 * like columns of their own. COPY selects JSON as well, so that both forms are one.
 */
export function arrayConversion({ parse, differs, neutral }: Conversion, element: ElementForm): Conversion {
  const elementText = `ifNull(x, ${chLiteral(neutral)})`;
  const value = parse ? parse(elementText) : elementText;
  const shown = element.show(value, elementText);
  const quoted = `toJSONString(${shown})`;
  const json = element.bare ? `if(${element.bare(value)}, ${shown}, ${quoted})` : quoted;
  const elements = (text: string) => `JSONExtract(${text}, 'Array(Nullable(String))')`;
  const { doubtful = () => '0' } = element;

  return textConversion({
    neutral: '[]',
    parse: (text) =>
      `concat('[', arrayStringConcat(arrayMap(x -> if(isNull(x), 'null', ${json}), ${elements(text)}), ','), ']')`,
    differs: (text) => {
      // COPY shows more dimensions as they are; Debezium as nulls, or by the name of Java's array.
      const nested = `arrayExists(x -> startsWith(x, '[') OR startsWith(x, '{'), JSONExtractArrayRaw(${text}))`;
      const java = `arrayExists(x -> match(ifNull(x, ''), ${chLiteral(JAVA_ARRAY)}), ${elements(text)})`;
      const structure = `NOT isValidJSON(${text}) OR NOT startsWith(${text}, '[') OR ${nested} OR ${java}`;
      if (!differs) return structure;
      return `${structure} OR arrayExists(x -> isNotNull(x) AND (${differs(elementText, value)}), ${elements(text)})`;
    },
    copy: element.copy ?? ((column) => `array_to_json(${column}::text[])`),
    canonical: {
      postgres: (column) =>
        `(SELECT '[' || coalesce(string_agg(coalesce(octet_length(x) || ':' || x, '~'), '' ORDER BY o), '') FROM (SELECT ` +
        `CASE WHEN e IS NOT NULL THEN ${element.canonical.postgres('e')} END AS x, o FROM unnest(${column}) WITH ORDINALITY AS u(e, o)) AS s)`,
      clickhouse: (column) => {
        const text = element.canonical.clickhouse(elementText);
        const sized = `if(isNull(x), '~', concat(toString(length(${text})), ':', ${text}))`;
        return ofJson(column, `concat('[', arrayStringConcat(arrayMap(x -> ${sized}, ${elements(column)})))`);
      },
      // Each element says its length, so the text's end cannot be mistaken.
      open: false,
    },
    unavailable: element.unavailable,
    doubtful: (text) =>
      `startsWith(${text}, '[null') AND arrayAll(x -> isNull(x), ${elements(text)}) OR ` +
      `arrayExists(x -> ${doubtful("ifNull(x, '')")}, ${elements(text)})`,
  });
}

const RANGES = ['int4range', 'int8range', 'numrange', 'tsrange', 'tstzrange', 'daterange'];

/** The column as it would be if it held one element: `numeric(10,2)[]` of `_numeric` gives `numeric(10,2)` of `numeric`. */
export function elementOf(column: SourceColumn): SourceColumn | null {
  if (column.typeCategory !== 'A' || !column.typeName.startsWith('_')) return null;
  const typeName = column.typeName.slice(1);
  const type = column.type.replace(/(\[\])+$/, '');
  const typeKind = RANGES.includes(typeName) ? 'r' : 'b';
  return { ...column, type, typeName, typeKind, typeCategory: '', dimensions: 0 };
}
