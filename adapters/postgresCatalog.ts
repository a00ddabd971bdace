import type pg from 'pg';
import { pgIdentifier } from '../core/identifiers.ts';
import type { Catalog } from '../core/schemaVersion.ts';
import { copyText } from '../core/typeMapping.ts';
import { readSourceTable } from './postgres.ts';
import { guarded } from './postgresCopyErrors.ts';
import { tableFiles } from './postgresCopySessions.ts';

/**
 * attmissingval has the value that rows from before the column have, since PostgreSQL does not write it into them. It is an
 * array of one element of the column's type.
 */
const ATTRIBUTES_SQL = `
  SELECT attnum::int AS attnum, attisdropped AS dropped, xmin::text AS xmin,
    CASE WHEN atthasmissing THEN array_to_string(attmissingval, '') END AS missing
  FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 ORDER BY attnum`;

interface Attribute {
  attnum: number;
  dropped: boolean;
  xmin: string;
  missing: string | null;
}

/**
 * Reads what the catalog says of a table now.
 * @throws TidegateError SOURCE_NOT_READY when there is no such table, or what sourceError makes of PostgreSQL's errors.
 */
export async function readCatalog(session: pg.Client, table: { schema: string; name: string }): Promise<Catalog> {
  return await guarded(async () => {
    const source = await readSourceTable(session, table);
    const files = await tableFiles(session, [source.oid]);
    const { rows } = await session.query<Attribute>(ATTRIBUTES_SQL, [source.oid]);
    const lastAttnum = rows.at(-1)?.attnum ?? 0;
    const live = rows.filter(({ dropped }) => !dropped);
    const touched = Object.fromEntries(live.map(({ attnum, xmin }) => [attnum, xmin]));
    const missing: Record<number, string> = {};
    for (const { attnum, missing: text } of live) {
      const column = source.columns.find((each) => each.attnum === attnum);
      if (text === null || !column) continue;
      const { rows: values } = await session.query<{ text: string }>(
        `SELECT ${copyText(column)} AS text FROM (SELECT $1::text::${column.type} AS ${pgIdentifier(column.name)}) AS one`,
        [text],
      );
      missing[attnum] = values[0]!.text;
    }
    return { source, files, lastAttnum, touched, missing };
  });
}
