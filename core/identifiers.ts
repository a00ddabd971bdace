/**
 * Quoting of names and literals for the two databases. Nothing reaches SQL text except through these functions or as a
 * bound parameter.
 */

/** Quotes a PostgreSQL identifier: `say "hi"` becomes `"say ""hi"""`. */
export function pgIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** Quotes a PostgreSQL table name with its schema. */
export function pgTable({ schema, name }: { schema: string; name: string }): string {
  return `${pgIdentifier(schema)}.${pgIdentifier(name)}`;
}

/** Quotes a PostgreSQL string literal, whatever standard_conforming_strings says. */
export function pgLiteral(value: string): string {
  const quoted = value.replaceAll("'", "''");
  return value.includes('\\') ? ` E'${quoted.replaceAll('\\', '\\\\')}'` : `'${quoted}'`;
}

/** Quotes a ClickHouse identifier with backticks. */
export function chIdentifier(name: string): string {
  return `\`${name.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``;
}

/** Quotes a ClickHouse table name with its database. */
export function chTable({ database, name }: { database: string; name: string }): string {
  return `${chIdentifier(database)}.${chIdentifier(name)}`;
}

/** Quotes a ClickHouse string literal. */
export function chLiteral(value: string): string {
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

/**
 * Splits `schema.table`, `table` (schema public) or quoted forms such as `"My Schema"."a.b"`.
 * Returns null when the text is not a table name.
 */
export function parseTableName(text: string): { schema: string; name: string } | null {
  const part = '(?:"((?:[^"]|"")+)"|([^".]+))';
  const match = new RegExp(`^(?:${part}\\.)?${part}$`, 'u').exec(text);
  if (!match) return null;
  const unquote = (quoted: string | undefined, bare: string | undefined) => quoted?.replaceAll('""', '"') ?? bare;
  return { schema: unquote(match[1], match[2]) ?? 'public', name: unquote(match[3], match[4]) as string };
}

/** The opposite of parseTableName, the way people write it: the schema only when it is not public. */
export function formatTableName({ schema, name }: { schema: string; name: string }): string {
  const part = (text: string) => (/^[^".\s]+$/u.test(text) ? text : pgIdentifier(text));
  return schema === 'public' ? part(name) : `${part(schema)}.${part(name)}`;
}
