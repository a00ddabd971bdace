/**
 * A PostgreSQL log sequence number: 64 bits, written by PostgreSQL as two hexadecimal halves (`16/B374D848`) and by
 * Debezium as a decimal number. Here it is a bigint, so that comparing is exact.
 */
export type Lsn = bigint;

/** Parses `16/B374D848`. Throws a RangeError on anything else. */
export function parseLsn(text: string): Lsn {
  const match = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/.exec(text);
  if (!match) throw new RangeError(`not a log sequence number: '${text}'`);
  return (BigInt(`0x${match[1]}`) << 32n) | BigInt(`0x${match[2]}`);
}

/** Formats as PostgreSQL does. */
export function formatLsn(lsn: Lsn): string {
  return `${(lsn >> 32n).toString(16).toUpperCase()}/${(lsn & 0xffffffffn).toString(16).toUpperCase()}`;
}

/**
 * The version of a row: `lsn << 64 | offset`. The LSN alone ties when one transaction changes a row twice; the Kafka
 * offset breaks the tie, since one table's messages stay in order within a partition.
 */
export function versionOf({ lsn, offset }: { lsn: Lsn; offset: bigint }): bigint {
  return (lsn << 64n) | offset;
}
