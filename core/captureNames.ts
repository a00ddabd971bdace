import type { SourceTable } from './catalog.ts';
import { TidegateError } from './errors.ts';
import { formatTableName, pgIdentifier, pgTable } from './identifiers.ts';

/** Debezium takes quotation marks around a column's name away, so that its values come under another name. */
const QUOTED = /^(["'`]).*\1$/s;

/**
 * Debezium takes a first double quote for the beginning of a quoted name: it then leaves the table out silently, or its
 * connector fails.
 * @throws TidegateError SOURCE_NOT_READY with the renaming that mends it, unless Debezium reads all names as they are.
 */
export function requireCapturable(source: SourceTable): void {
  const { schema, name, columns } = source;
  const refuse = (what: string, rename: string) => {
    throw new TidegateError('SOURCE_NOT_READY', `${formatTableName(source)} ${what}`, {
      remedy: `Run: ${rename}; or load the table with load: 'reference'.`,
    });
  };
  const why = 'a name that begins with a double quote, which Debezium does not capture';
  if (name.startsWith('"')) refuse(`has ${why}`, `ALTER TABLE ${pgTable(source)} RENAME TO <name>`);
  if (schema.startsWith('"'))
    refuse(`is in a schema with ${why}`, `ALTER SCHEMA ${pgIdentifier(schema)} RENAME TO <name>`);
  const column = columns.find((each) => QUOTED.test(each.name));
  if (!column) return;
  const quoted = pgIdentifier(column.name);
  refuse(
    `has a column ${quoted}, around whose name Debezium takes the quotation marks away`,
    `ALTER TABLE ${pgTable(source)} RENAME COLUMN ${quoted} TO <name>`,
  );
}
