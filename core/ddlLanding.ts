import type { SourceColumn } from './catalog.ts';
import { LANDED_LSN, versionExpression } from './ddlCurrent.ts';
import { chIdentifier, chLiteral } from './identifiers.ts';
import { debeziumName } from './names.ts';
import {
  DELETED_COLUMN,
  type MappedColumn,
  NO_MESSAGE,
  OFFSET_COLUMN,
  PARTITION_COLUMN,
  type TargetShape,
  unavailableText,
  VERSION_COLUMN,
} from './typeMapping.ts';
import type { Conversion } from './typeMappingRule.ts';

/**
 * The views that convert what lands. Three SELECTs inside each other, so that a source column may have any name: the
 * innermost gives texts numbered names, the next one their values, the outermost the columns' names, and there all is
 * checked.
 */
interface Conversions {
  columns: readonly MappedColumn[];
  /** Quoted name of the table that the rows land in. */
  landing: string;
}

export const textName = (index: number) => `_tidegate_t${index + 1}`;
const valueName = (index: number) => `_tidegate_v${index + 1}`;

export const NULL_TEXT = "CAST(NULL, 'Nullable(String)')";

/** What messages call a column; undefined when they lack it. */
export function sentName({ name, attnum }: SourceColumn, era: TargetShape['era']): string | undefined {
  return era ? era.find((sent) => sent.attnum === attnum)?.name : name;
}

/** The type of `before` and `after`: every column of the row, as text. */
export function landingTuple(names: readonly string[]): string {
  const elements = names.map((name) => `${chIdentifier(debeziumName(name))} Nullable(String)`);
  return `Tuple(${elements.join(', ')})`;
}

/**
 * The SELECT behind a landing table: one row of the target a message. A delete has its key only; its other columns are
 * given their types' neutral values. A truncate (`t`) writes nothing. An update that moves a row to another key is a delete
 * of the old one as well, where Debezium does not send that by itself.
 */
export function landingViewSelect(options: LandingConversions): string {
  const { columns, keys, keyMoves, isWholeRowKey, landing, era, missing = {} } = options;
  const texts = columns.map((mapped) => {
    const { column, conversion } = mapped;
    const sent = sentName(column, era);
    if (sent === undefined) return missingText(mapped, missing[column.attnum]);
    const name = chLiteral(debeziumName(sent));
    const after = `tupleElement(after, ${name})`;
    const neutral = column.notNull ? chLiteral(conversion.neutral) : 'NULL';
    // A truncate is filtered out, but only after its texts may have been converted.
    if (!keys.includes(mapped)) return `if(_tidegate_op IN ('d', 't'), ${neutral}, ${after})`;
    return `multiIf(_tidegate_op = 'd', tupleElement(before, ${name}), _tidegate_op = 't', ${neutral}, ${after})`;
  });
  const unsure = columns.flatMap((mapped, index) =>
    sentName(mapped.column, era) !== undefined
      ? unsureChecks(mapped, { text: textName(index), isKey: keys.includes(mapped), isWholeRowKey })
      : [],
  );
  return convertingSelect({
    columns,
    rows:
      `SELECT ${texts.map((text, index) => `${text} AS ${textName(index)}`).join(', ')}, ` +
      `${keyMoves ? movedKey(keys) : 'op'} AS _tidegate_op, ${LANDED_LSN} AS _tidegate_lsn, ` +
      `_partition AS ${PARTITION_COLUMN}, _reread AS _tidegate_reread, ` +
      `_offset AS ${OFFSET_COLUMN} FROM ${landing} WHERE op != 't'`,
    further: [
      `${versionExpression('_tidegate_lsn', OFFSET_COLUMN)} AS ${VERSION_COLUMN}`,
      `toUInt8(_tidegate_op = 'd') AS ${DELETED_COLUMN}`,
      PARTITION_COLUMN,
      OFFSET_COLUMN,
    ],
    checks: [...sourceChecks(), ...unsure],
  });
}

/** What every message has to say of itself. */
export function sourceChecks(): string[] {
  return [
    // Coordinates are put into the first value of a message only.
    refusal('_tidegate_partition < 0', 'a further value in one message'),
    refusal("_tidegate_op NOT IN ('c', 'u', 'd', 'r', 't')", 'op: not an operation of a row'),
    refusal('_tidegate_lsn = 0', 'source: without an LSN'),
  ];
}

/** For a target that takes no row from the source but as it was sent. */
export function unavailableChecks(columns: readonly MappedColumn[]): string[] {
  return columns.flatMap(({ column, conversion }, index) => {
    const condition = unavailableText(conversion, textName(index));
    return condition ? [refusal(condition, `column ${column.name}: an unchanged large value was not sent`)] : [];
  });
}

interface LandingConversions extends Conversions, Pick<TargetShape, 'era' | 'missing'> {
  keys: readonly MappedColumn[];
  keyMoves: boolean;
  isWholeRowKey: boolean;
}

/**
 * What Debezium sends may leave open what the value is: then the row must have been read from the source (`_reread`). A
 * table of which the whole row is the key always sends it whole, so that the placeholder is a value there. A delete has
 * nothing but its key.
 */
function unsureChecks(
  { column, conversion }: MappedColumn,
  { text, isKey, isWholeRowKey }: { text: string; isKey: boolean; isWholeRowKey: boolean },
): string[] {
  const rereadable = (condition: string, what: string) =>
    refusal(
      `_tidegate_reread = 0 AND ${isKey ? '' : "_tidegate_op != 'd' AND "}(${condition})`,
      `column ${column.name}: ${what}`,
    );
  const unavailable = isWholeRowKey ? null : unavailableText(conversion, text);
  const doubtful = conversion.doubtful?.(`ifNull(${text}, '')`);
  return [
    ...(unavailable ? [rereadable(unavailable, 'an unchanged large value was not sent')] : []),
    ...(doubtful ? [rereadable(doubtful, 'what was sent stands for more than one value')] : []),
  ];
}

/** The text of a column that is younger than the message. */
export function missingText({ column, conversion }: MappedColumn, text?: string): string {
  if (text !== undefined) return chLiteral(text);
  return column.notNull ? chLiteral(conversion.neutral) : NULL_TEXT;
}

/**
 * The operations that a message stands for, one row each: `u` becomes `d` and `u` when it moves a row. An update that
 * leaves an index's columns alone has no `before`; where all columns of the key allow NULL, it is the whole row, always sent.
 */
function movedKey(keys: readonly MappedColumn[]): string {
  const texts = (row: string) =>
    keys.map(({ column }) => `tupleElement(${row}, ${chLiteral(debeziumName(column.name))})`);
  const required = texts('before').find((_, index) => keys[index]!.column.notNull);
  const sent = required ? `isNotNull(${required})` : '1';
  const moved = `op = 'u' AND ${sent} AND [${texts('before').join(', ')}] != [${texts('after').join(', ')}]`;
  return `arrayJoin(if(${moved}, ['d', 'u'], [op]))`;
}

/** The SELECT behind a table that COPY's rows land in. */
export function copyViewSelect(
  options: Conversions & { textOf: (column: MappedColumn) => string; version: bigint | null },
): string {
  const { columns, landing, textOf, version } = options;
  const texts = columns.map((mapped, index) => `${textOf(mapped)} AS ${textName(index)}`);
  return convertingSelect({
    columns,
    rows: `SELECT ${texts.join(', ')} FROM ${landing}`,
    further:
      version === null
        ? []
        : [
            ...[`toUInt128('${version}') AS ${VERSION_COLUMN}`, `toUInt8(0) AS ${DELETED_COLUMN}`],
            ...[`toInt32(${NO_MESSAGE.copied}) AS ${PARTITION_COLUMN}`, `toInt64(0) AS ${OFFSET_COLUMN}`],
          ],
    checks: [],
  });
}

/** What the views need to know of a column. */
interface ConvertedColumn {
  column: { name: string; notNull: boolean };
  conversion: Pick<Conversion, 'type' | 'neutral' | 'parse' | 'differs'>;
}

/**
 * The two outer SELECTs.
 * @param parts.rows the innermost SELECT, which gives each column's text by its textName.
 * @param parts.absent what is said of a text that is NULL where it may not be.
 */
export function convertingSelect(parts: {
  columns: readonly ConvertedColumn[];
  rows: string;
  further: readonly string[];
  checks: readonly string[];
  absent?: string;
}): string {
  const { columns, rows, further, checks, absent = 'NULL, where the source has none' } = parts;
  const values = columns.map((mapped, index) => `${convertedText(mapped, textName(index))} AS ${valueName(index)}`);
  const named = columns.map(({ column }, index) => `${valueName(index)} AS ${chIdentifier(column.name)}`);
  const all = [...checks, ...columns.flatMap((mapped, index) => columnChecks(mapped, { index, absent }))];
  const where = all.length > 0 ? ` WHERE ${all.join(' AND ')}` : '';
  return `SELECT ${[...named, ...further].join(', ')} FROM (SELECT *, ${values.join(', ')} FROM (${rows}))${where}`;
}

/** The value of a text that may be NULL. A NULL where none may be is refused by a check; until then it is neutral. */
function convertedText({ column, conversion }: ConvertedColumn, text: string): string {
  if (!conversion.parse) return column.notNull ? `assumeNotNull(${text})` : text;
  const value = conversion.parse(`ifNull(${text}, ${chLiteral(conversion.neutral)})`);
  return column.notNull ? value : `if(isNull(${text}), NULL, ${value})`;
}

function columnChecks(
  { column, conversion }: ConvertedColumn,
  { index, absent }: { index: number; absent: string },
): string[] {
  const text = textName(index);
  const checks = column.notNull ? [refusal(`isNull(${text})`, `column ${column.name}: ${absent}`)] : [];
  if (!conversion.differs) return checks;
  const present = `ifNull(${text}, ${chLiteral(conversion.neutral)})`;
  const message = `column ${column.name}: a value that ${conversion.type} does not hold exactly`;
  return [...checks, refusal(conversion.differs(present, valueName(index)), message)];
}

/** A condition of WHERE that raises (code 395) when the given one is true, and is true otherwise; NULL is false. */
export function refusal(condition: string, message: string): string {
  return `NOT throwIf(ifNull(${condition}, 0), ${chLiteral(`Tidegate refuses ${message}`)})`;
}
