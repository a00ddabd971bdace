import { currentInsertLsn } from '../adapters/replication.ts';
import { attemptName, newToken } from '../core/copyAttempt.ts';
import { CopyTally } from '../core/copyTally.ts';
import { CONVERSION_SETTINGS, stagingDdl, type TargetShape } from '../core/ddl.ts';
import { copyPath } from '../core/ddlCopy.ts';
import { truncatedAt } from '../core/ddlCurrent.ts';
import { chIdentifier, chTable } from '../core/identifiers.ts';
import { versionOf } from '../core/lsn.ts';
import { copyExpression, DELETED_COLUMN, mappedColumns, VERSION_COLUMN } from '../core/typeMapping.ts';
import { copyPart } from './copyTable.ts';
import { dropLeftovers, runAll } from './copyTarget.ts';
import { eachLookup, type Judged } from './verifyTablesJudge.ts';

/**
 * Gives a stream table the source's rows of these keys, beside the stream that goes on: a row of the source is written with
 * the highest stored version of its key plus one, and a key that the source does not have gets a tombstone of that version.
 *
 * No newer change is overwritten, by the order of the steps: the stored versions are read first, the source after them.
 * What is stored had been committed, so the row that is read next has it in it. A change that the row does not have in it
 * is committed later than the stored one. Changes of one key are ordered by PostgreSQL's row locks, so its LSN is greater,
 * and with it the upper 64 bits of its version, while adding one touches only the lower: it wins, whether it landed before
 * this is written or lands after.
 *
 * A version beyond the source's present LSN cannot come from it, and would hide all changes to come; such rows are removed.
 */
export async function repairKeys(
  { session, clickhouse, sql, scratch, signal, shape }: Judged & { shape: TargetShape },
  keys: readonly string[],
): Promise<void> {
  const { database, table } = shape;
  const token = newToken();
  const staging = attemptName(table.target, token);
  const quoted = chTable({ database, name: staging });
  const target = chTable({ database, name: table.target });
  const versions = scratch.repair;
  const { key } = sql.clickhouse;
  const among = `${key} IN (SELECT key FROM ${versions})`;
  const run = (statement: string, settings = {}) =>
    clickhouse.command(statement, { settings: { ...CONVERSION_SETTINGS, ...settings }, signal });

  await run(`DROP TABLE IF EXISTS ${versions} SYNC`);
  await run(`CREATE TABLE ${versions} (key String, base UInt128) ENGINE = ReplacingMergeTree(base) ORDER BY key`);
  await clickhouse.insert({
    ...{ into: versions, columns: ['key'], format: 'JSONEachRow', settings: CONVERSION_SETTINGS, signal },
    body: Buffer.from(keys.map((each) => `${JSON.stringify({ key: each })}\n`).join('')),
  });
  const beyond = versionOf({ lsn: (await currentInsertLsn(session)) + 1n, offset: 0n });
  const impossible = `${VERSION_COLUMN} >= toUInt128('${beyond}') AND ${among}`;
  const [counted] = await clickhouse.rows<{ rows: string }>(
    `SELECT count() AS rows FROM ${target} WHERE ${impossible}`,
  );
  if (counted!.rows !== '0') await run(`ALTER TABLE ${target} DELETE WHERE ${impossible}`, { mutations_sync: 2 });
  await run(
    `INSERT INTO ${versions} SELECT ${key}, max(${VERSION_COLUMN}) FROM ${target} PREWHERE ${among} GROUP BY ${key}`,
  );
  // Rows at or below it are hidden.
  await run(`INSERT INTO ${versions} SELECT key, ${truncatedAt(shape)} FROM ${versions}`);

  const path = copyPath({ ...shape, table: { ...table, target: staging } }, { into: staging, version: 0n });
  try {
    await run(stagingDdl(shape, staging));
    await runAll(clickhouse, path.create, signal);
    const columns = shape.source.columns.map(copyExpression).join(', ');
    await eachLookup(sql, keys, async (from) => {
      // A key that is no value of the source's types must not break the COPY off, and the session with it.
      await session.query(`SELECT count(*) FROM ${from}`);
      const tally = new CopyTally(new Date().toISOString());
      tally.expect(table.label, { parts: 1, estimatedRows: -1 });
      const part = { table: table.label, select: `SELECT ${columns} FROM ${from}`, ...path };
      await copyPart({ session, clickhouse, part, tally, signal });
    });
    const names = mappedColumns(shape).map(({ column }) => chIdentifier(column.name));
    const keyNames = sql.keyColumns.map(({ column }) => chIdentifier(column.name));
    const write = (some: readonly string[], { rows, deleted }: { rows: string; deleted: 0 | 1 }) =>
      run(
        `INSERT INTO ${target} (${[...some, VERSION_COLUMN, DELETED_COLUMN].join(', ')}) ` +
          `SELECT ${some.join(', ')}, toUInt128(_tidegate_base + 1), ${deleted} ` +
          `FROM (SELECT ${some.join(', ')}, ${key} AS _tidegate_key FROM ${rows}) AS found INNER JOIN ` +
          `(SELECT key AS _tidegate_key, base AS _tidegate_base FROM ${versions} FINAL) AS versions USING (_tidegate_key)`,
      );
    await write(names, { rows: quoted, deleted: 0 });
    const gone = `${target} WHERE ${among} AND ${key} NOT IN (SELECT ${key} FROM ${quoted})`;
    await write(keyNames, { rows: `${gone} LIMIT 1 BY ${keyNames.join(', ')}`, deleted: 1 });
  } finally {
    await dropLeftovers(clickhouse, { database, targets: [table.target], token });
  }
}
