import { pgIdentifier } from './identifiers.ts';
import type { MappedColumn } from './typeMapping.ts';

/**
 * Types whose text in a key, see VerifySide.key, PostgreSQL reads back as the same value, so that an index finds the row.
 */
const READ_BACK = new Set([
  ...['bool', 'int2', 'int4', 'int8', 'oid', 'numeric', 'uuid', 'date', 'time', 'timestamp', 'timestamptz', 'bytea'],
  ...['text', 'varchar', 'bpchar', 'name', 'citext', 'char', 'inet', 'cidr', 'macaddr', 'macaddr8'],
]);

/**
 * The texts of a key's columns, in its order: `["7","a \"b\""]` gives `7` and `a "b"`. JSON.parse would refuse line breaks
 * and other control characters, which are not escaped.
 */
export function parseKey(key: string): (string | null)[] {
  const texts: (string | null)[] = [];
  for (let at = 1; at < key.length - 1; at += 1) {
    if (key[at] !== '"') {
      texts.push(null);
      at += 'null'.length;
      continue;
    }
    let text = '';
    for (at += 1; key[at] !== '"'; at += 1) {
      if (key[at] === '\\') at += 1;
      text += key[at];
    }
    texts.push(text);
    at += 1;
  }
  return texts;
}

/** How rows of given keys are found at the source. */
export interface KeyLookup {
  /** What follows the table's name. @param arrays SQL of arrays of text, one a key column. */
  join(arrays: readonly string[]): string;
  /** The texts of the key columns, one list a column. */
  values(keys: readonly string[]): string[][];
}

/** Finds rows by the index of the key; null where not every text of it can be read back, so that only a scan finds them. */
export function indexLookup(columns: readonly MappedColumn[]): KeyLookup | null {
  const readBack = columns.every(
    ({ column }) => column.notNull && (READ_BACK.has(column.typeName) || column.typeKind === 'e'),
  );
  if (!readBack) return null;
  const name = (index: number) => `_tidegate_k${index + 1}`;
  const wanted = columns.map(({ column }, index) => `${name(index)}::${column.type} AS ${name(index)}`).join(', ');
  const on = columns.map(({ column }, index) => `${pgIdentifier(column.name)} = ${name(index)}`).join(' AND ');
  const names = columns.map((_, index) => name(index)).join(', ');
  return {
    join: (arrays) => `JOIN (SELECT ${wanted} FROM unnest(${arrays.join(', ')}) AS keys(${names})) AS wanted ON ${on}`,
    values(keys) {
      const parsed = keys.map(parseKey);
      return columns.map((_, index) => parsed.map((texts) => texts[index] ?? ''));
    },
  };
}
