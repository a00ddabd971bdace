import { isDeepStrictEqual } from 'node:util';
import type { ClickHouse } from '../../adapters/clickhouse.ts';
import { chIdentifier, chTable } from '../../core/identifiers.ts';
import type { Random } from '../../pipelines/random.ts';

/** A value of a target, by the id of its row. */
export interface Place {
  database: string;
  table: string;
  column: string;
  id: number;
}

interface Stored {
  isNull: number;
  text: string;
  bytes: string;
}

/**
 * Changes one value of a target behind the engine's back, by a byte or by the smallest step of its type, or makes it NULL
 * or something else than NULL: either in place, or as a newer version of the row.
 */
export async function corrupt(
  clickhouse: ClickHouse,
  place: Place,
  { random, json }: { random: Random; json: boolean },
): Promise<void> {
  const { database, table, column, id } = place;
  const target = chTable({ database, name: table });
  const quoted = chIdentifier(column);
  const [{ type } = { type: '' }] = await clickhouse.rows<{ type: string }>(
    'SELECT type FROM system.columns WHERE database = {database:String} AND table = {table:String} AND name = {column:String}',
    { params: { database, table, column } },
  );
  const read = async () => {
    const sql = `SELECT isNull(${quoted}) AS isNull, ifNull(toString(${quoted}), '') AS text, hex(ifNull(toString(${quoted}), '')) AS bytes FROM ${target} FINAL WHERE id = ${id}`;
    return (await clickhouse.rows<Stored>(sql))[0]!;
  };
  const before = await read();
  // A changed byte of JSON may mean the same: \u001f and \u001F do.
  do {
    const value = wrong(quoted, { type, random, isNull: before.isNull === 1 });
    await (random.chance(0.5)
      ? clickhouse.command(`ALTER TABLE ${target} UPDATE ${quoted} = ${value} WHERE id = ${id}`, {
          settings: { mutations_sync: 2 },
        })
      : clickhouse.command(
          `INSERT INTO ${target} SELECT * REPLACE (${value} AS ${quoted}, _version + 1 AS _version) FROM ${target} FINAL WHERE id = ${id}`,
        ));
  } while (means(await read(), before, json));
}

function means(now: Stored, before: Stored, json: boolean): boolean {
  if (now.isNull !== before.isNull) return false;
  if (now.bytes === before.bytes) return true;
  if (!json) return false;
  const [one, other] = [now, before].map(({ bytes }) => Buffer.from(bytes, 'hex').toString('latin1'));
  try {
    return isDeepStrictEqual(JSON.parse(one!), JSON.parse(other!));
  } catch {
    return false;
  }
}

/** An expression of a value that is not the column's. */
function wrong(column: string, { type, random, isNull }: { type: string; random: Random; isNull: boolean }): string {
  const nullable = /^(LowCardinality\()?Nullable\(/.test(type);
  const bare = type.replace(/^LowCardinality\((.*)\)$/, '$1').replace(/^Nullable\((.*)\)$/, '$1');
  if (nullable && !isNull && random.chance(0.15)) return 'NULL';
  const value = isNull ? `defaultValueOfTypeName('${bare.replaceAll("'", "\\'")}')` : `assumeNotNull(${column})`;
  if (isNull) return value;
  if (bare === 'String') return wrongBytes(value, random);
  if (bare === 'Bool') return `NOT ${value}`;
  if (bare === 'UUID') return `reinterpretAsUUID(bitXor(reinterpretAsUInt128(${value}), toUInt128(1)))`;
  if (bare.startsWith('Float')) {
    const bits = `reinterpretAsUInt${bare.slice(5)}`;
    return `reinterpretAsFloat${bare.slice(5)}(bitXor(${bits}(${value}), 1))`;
  }
  // Towards zero, so that none of the types overflows; for dates and times from the middle of what they hold.
  const step = /^Decimal\(\d+, (\d+)\)/.exec(bare);
  if (step) return `${value} + if(${value} > 0, -1, 1) * toDecimal256('${10 ** -Number(step[1])}', ${step[1]})`;
  if (bare.startsWith('DateTime64'))
    return `${value} + INTERVAL if(${value} > toDateTime64(0, 6, 'UTC'), -1, 1) MICROSECOND`;
  if (bare === 'Date32') return `${value} + INTERVAL if(${value} > toDate32('1970-01-01'), -1, 1) DAY`;
  return `bitXor(${value}, 1)`;
}

function wrongBytes(value: string, random: Random): string {
  const at = `modulo(${random.between(0, 100_000)}, greatest(length(${value}), 1))`;
  const byte = `reinterpretAsUInt8(substring(${value}, ${at} + 1, 1))`;
  const flipped = `concat(substring(${value}, 1, ${at}), char(bitXor(${byte}, ${2 ** random.between(0, 7)})), substring(${value}, ${at} + 2))`;
  const longer = `concat(${value}, 'x')`;
  const shorter = `substring(${value}, 1, length(${value}) - 1)`;
  return `if(empty(${value}), 'x', ${random.pick([flipped, flipped, longer, shorter])})`;
}
