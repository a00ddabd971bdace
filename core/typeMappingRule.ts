import type { SourceColumn } from './catalog.ts';

/** How one type's values get from text into ClickHouse, and how both sides write them down to be compared. */
export interface Conversion {
  /** The ClickHouse type, without Nullable. */
  type: string;
  /** A text that converts. It stands in for NULL and for the columns that a delete does not carry. */
  neutral: string;
  /** ClickHouse expression of `type` from a text; null when the text is the value. */
  parse: ((text: string) => string) | null;
  /** ClickHouse condition: the value is not exactly what the text says; null when `parse` is strict by itself. */
  differs: ((text: string, value: string) => string) | null;
  /**
   * What COPY writes can only be of the source's type, so less is to be looked at than in a message: `typed` when
   * ClickHouse reads the text as just that value or refuses it, or a condition that stands in for `differs`; null: nothing
   * is known.
   */
  copied: 'typed' | ((text: string, value: string) => string) | null;
  /** PostgreSQL expression that COPY selects; null for the column as it is. */
  copy: ((column: string) => string) | null;
  /**
   * Expressions of a value that is not NULL that give the same text in both databases. `open`: the text may hold any
   * character, so its length is written before it.
   */
  canonical: { postgres: (column: string) => string; clickhouse: (column: string) => string; open: boolean };
  /**
   * What Debezium sends for a large value that an update did not touch: the placeholder as text, or inside a JSON text,
   * or nothing that could be told from NULL. `strict`: whatever it is, `parse` or `differs` refuses it.
   */
  unavailable: 'text' | 'array of text' | 'array of integers' | 'array of uuid' | 'object' | 'strict' | 'null';
  /**
   * ClickHouse condition: Debezium sends this text for another value as well, so that only the source can tell. It is never
   * true of a text that stands for one value. Null when there is no such text. See core/reread.ts.
   */
  doubtful: ((text: string) => string) | null;
  /** False when only COPY carries the values exactly, so that a stream refuses the column. */
  streamed: boolean;
  /** How the type's values stand in the JSON text of an array; null when arrays of it cannot be replicated. */
  element: ElementForm | null;
}

export interface ElementForm {
  /** The element's text from the conversion's value: ClickHouse expression of type String. */
  show: (value: string, text: string) => string;
  /** Condition: the shown text stands without quotes (numbers and booleans); null for never. */
  bare: ((value: string) => string) | null;
  /** The same text for the same element in both databases. `text` is the stored element. */
  canonical: { postgres: (element: string) => string; clickhouse: (text: string) => string };
  unavailable: 'array of text' | 'array of integers' | 'array of uuid' | 'null';
  /** As Conversion's, of an element. */
  doubtful?: (text: string) => string;
  /** PostgreSQL expression of the JSON that COPY selects; null: `array_to_json(column::text[])`. */
  copy: ((column: string) => string) | null;
}

/** Values of a type that do not reach the target as they are. */
export interface TypeLimit {
  /** Which values, and what becomes of them: `NaN is refused`. */
  lost: string;
  /** What a person can do; `<column>` stands for the column's quoted name. */
  remedy: string;
  /**
   * The conditions of a CHECK that rules such values out, as PostgreSQL prints them, `<column>` for the column. Where Debezium
   * sends one text for them and for another value, such a CHECK settles which one is meant.
   */
  checks?: readonly string[];
  /** True when only Debezium causes it, so that a load carries these values. */
  streamOnly?: true;
  /** True when the row is read from the source instead, where that is possible: by a key of which the column is no part. */
  unlessReread?: true;
  /** Which of the rule's columns have these values; default: all. */
  covers?: (column: SourceColumn) => boolean;
}

/** One line of the table of types: what the documentation says, and the conversion. */
export interface TypeRule {
  /** As people write the type in PostgreSQL. */
  postgres: string;
  /** pg_type.typname of the types it covers; empty for any. */
  names: readonly string[];
  /** A further condition. */
  covers?: (column: SourceColumn) => boolean;
  /** The ClickHouse type, for the documentation. */
  clickhouse: string;
  /** How the values are kept, in whole sentences. */
  note: string;
  /** What is refused or changed; default: nothing. The plan warns of these. */
  limits?: readonly TypeLimit[];
  convert: (column: SourceColumn) => Conversion;
}

const same = (expression: string) => expression;

/** A conversion that leaves the text as it is, with what differs from that. */
export function textConversion(changes: Partial<Conversion> = {}): Conversion {
  return {
    type: 'String',
    neutral: '',
    parse: null,
    differs: null,
    copied: null,
    copy: null,
    canonical: { postgres: (column) => `${column}::text`, clickhouse: same, open: true },
    unavailable: 'text',
    doubtful: null,
    streamed: true,
    element: null,
    ...changes,
  };
}

/** A conversion whose canonical text is what both databases print, and cannot hold a separator. */
export function plainConversion(changes: Partial<Conversion> & Pick<Conversion, 'type' | 'neutral'>): Conversion {
  return textConversion({
    canonical: {
      postgres: (column) => `${column}::text`,
      clickhouse: (column) => `toString(${column})`,
      open: false,
    },
    unavailable: 'strict',
    ...changes,
  });
}

/** An element that is shown as text in quotes. */
export function quotedElement(changes: Partial<ElementForm> = {}): ElementForm {
  return {
    show: (_value, text) => text,
    bare: null,
    canonical: { postgres: (element) => `${element}::text`, clickhouse: same },
    unavailable: 'array of text',
    copy: null,
    ...changes,
  };
}

/** The numbers in the type's parentheses: `numeric(12,2)` gives 12 and 2. */
export function modifiers({ type }: SourceColumn): number[] {
  const inside = /\(([-0-9, ]+)\)/.exec(type)?.[1];
  return inside ? inside.split(',').map(Number) : [];
}
