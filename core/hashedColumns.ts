import type { SourceColumn, SourceTable } from './catalog.ts';
import { TidegateError } from './errors.ts';
import { formatTableName } from './identifiers.ts';
import { type Conversion, modifiers, textConversion } from './typeMappingRule.ts';

/** Hexadecimal digits of a SHA-256. */
const DIGITS = 64;

/** The setting of a source's session that holds the pipeline's salt: a query that needs it fails without it. */
export const SALT_SETTING = 'tidegate.salt';

/** Debezium's property for columns to hash. The salt is part of its name. */
export function hashProperty(salt: string): string {
  return `column.mask.hash.v2.SHA-256.with.salt.${salt}`;
}

/** The same hash as Debezium's: of the salt and the value, one after the other, in UTF-8. NULL stays NULL. */
function hashOf(column: string): string {
  return `encode(sha256(convert_to(current_setting('${SALT_SETTING}') || ${column}::text, 'UTF8')), 'hex')`;
}

/** What a hashed column is to every part that maps types: a text of 64 digits. Anything else is refused. */
export function hashedConversion(): Conversion {
  return textConversion({
    copy: hashOf,
    differs: (text) => `${text} != '' AND NOT match(${text}, '^[0-9a-f]{${DIGITS}}$')`,
    canonical: { postgres: hashOf, clickhouse: (column) => column, open: true },
    unavailable: 'strict',
  });
}

/**
 * The table with its hashed columns marked.
 * @param options.domains names of the columns whose type is a domain.
 * @throws TidegateError UNSUPPORTED_SOURCE when a column is not there, is of a key, or of a type that Debezium sends as it
 * is, or cuts.
 */
export function markHashed(
  source: SourceTable,
  { hashed, domains }: { hashed: readonly string[]; domains: readonly string[] },
): SourceTable {
  for (const name of hashed) {
    const column = source.columns.find((each) => each.name === name);
    const why = column ? whyNot(column, source, domains) : 'it has no such column';
    if (why === null) continue;
    throw new TidegateError('UNSUPPORTED_SOURCE', `${formatTableName(source)} cannot hash '${name}': ${why}`, {
      remedy: "Correct the table's 'hash' in the definition, or keep the column at the source with 'exclude'.",
    });
  }
  const mark = (column: SourceColumn): SourceColumn =>
    hashed.includes(column.name) ? { ...column, hashed: true } : column;
  return { ...source, columns: source.columns.map(mark), hashed };
}

function whyNot(column: SourceColumn, source: SourceTable, domains: readonly string[]): string | null {
  const { name, typeName, type, generated } = column;
  if ([...source.primaryKey, ...source.identityIndex].includes(name)) {
    return 'it is of the key, by which changes find their row';
  }
  if (!['text', 'varchar'].includes(typeName) || domains.includes(name) || generated) {
    const kind = generated ? 'generated ones' : domains.includes(name) ? 'domains' : type;
    return `only plain columns of type text and varchar are hashed on their way, not ${kind}`;
  }
  const [length] = modifiers(column);
  if (typeName === 'varchar' && length !== undefined && length < DIGITS) {
    return `its hash of ${DIGITS} characters would be cut to the column's ${length}`;
  }
  return null;
}
