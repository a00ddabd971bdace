import { chIdentifier } from '../../core/identifiers.ts';
import type { Random } from '../../pipelines/random.ts';

/**
 * An expression of a value that is not the column's: another byte, one less or one more, the smallest step of its type, NULL,
 * or something else than NULL.
 * @param options.type of the column in ClickHouse.
 * @param options.json true where only what is no JSON at all is sure to mean something else: \u001f and \u001F are the same.
 */
export function corrupted(name: string, options: { type: string; json: boolean; random: Random }): string {
  const { type, json, random } = options;
  const column = chIdentifier(name);
  const nullable = /^(LowCardinality\()?Nullable\(/.test(type);
  const bare = type.replace(/^LowCardinality\((.*)\)$/, '$1').replace(/^Nullable\((.*)\)$/, '$1');
  const value = nullable ? `assumeNotNull(${column})` : column;
  const other = wrong(value, { bare, json, random });
  if (!nullable) return other;
  const present = random.chance(0.15) ? 'NULL' : `CAST(${other}, ${quoted(type)})`;
  return `if(isNull(${column}), CAST(defaultValueOfTypeName(${quoted(bare)}), ${quoted(type)}), ${present})`;
}

function quoted(type: string): string {
  return `'${type.replaceAll("'", "\\'")}'`;
}

function wrong(value: string, { bare, json, random }: { bare: string; json: boolean; random: Random }): string {
  if (bare === 'String') return wrongBytes(value, { json, random });
  if (bare === 'Bool') return `NOT ${value}`;
  if (bare === 'UUID') return `reinterpretAsUUID(bitXor(reinterpretAsUInt128(${value}), toUInt128(1)))`;
  const float = /^Float(\d+)$/.exec(bare)?.[1];
  if (float) return `reinterpretAsFloat${float}(bitXor(reinterpretAsUInt${float}(${value}), 1))`;
  // Towards the middle of what the type holds, so that none overflows.
  const towards = (middle: string) => `if(${value} > ${middle}, -1, 1)`;
  const scale = /^Decimal\(\d+, (\d+)\)/.exec(bare)?.[1];
  if (scale)
    return `${value} + ${towards('0')} * toDecimal256('${(10 ** -Number(scale)).toFixed(Number(scale))}', ${scale})`;
  if (bare.startsWith('DateTime64')) return `${value} + toIntervalMicrosecond(${towards("toDateTime64(0, 6, 'UTC')")})`;
  if (bare === 'Date32') return `${value} + toIntervalDay(${towards("toDate32('1970-01-01')")})`;
  return `bitXor(${value}, 1)`;
}

function wrongBytes(value: string, { json, random }: { json: boolean; random: Random }): string {
  const at = json ? '0' : `modulo(${random.between(0, 100_000)}, greatest(length(${value}), 1))`;
  const byte = `reinterpretAsUInt8(substring(${value}, ${at} + 1, 1))`;
  const flipped = `concat(substring(${value}, 1, ${at}), char(bitXor(${byte}, ${2 ** random.between(0, 7)})), substring(${value}, ${at} + 2))`;
  const longer = `concat(${value}, 'x')`;
  const shorter = `substring(${value}, 1, length(${value}) - 1)`;
  return `if(empty(${value}), 'x', ${random.pick([flipped, flipped, longer, shorter])})`;
}
