import { chIdentifier, chLiteral } from './identifiers.ts';

/** A column of a target as system.columns has it. */
export interface TargetColumn {
  name: string;
  type: string;
  comment: string;
}

/** A column that the target is to have. */
export interface WantedColumn {
  name: string;
  attnum: number;
  /** Set for a history's column with the row before the change. */
  before?: true;
  /** The ClickHouse type. */
  type: string;
  /** ClickHouse expression: the value of rows that are older than the column; null for none. */
  default: string | null;
}

const COMMENT = /^source column (\d+)( before the change)?$/;

/** The comment of a target's column, by which it is known whatever it is called. */
export function columnComment(attnum: number, before?: true): string {
  return `source column ${attnum}${before ? ' before the change' : ''}`;
}

/** False for a column of the target's own. */
function isOfSource({ comment }: TargetColumn): boolean {
  return COMMENT.test(comment);
}

/** The attnum that a target's column stands for; null when nothing says so, or it holds the row before a change. */
export function attnumOf({ comment }: TargetColumn): number | null {
  const [, attnum, before] = COMMENT.exec(comment) ?? [];
  return attnum === undefined || before !== undefined ? null : Number(attnum);
}

/**
 * The parts of ALTER TABLE that make the target's columns the wanted ones, in the order in which they are to be run, each
 * as a statement of its own. Since columns are known by their comments, statements that broke off half way are followed
 * by the rest.
 * @param widens whether every value of the one type is the same value of the other.
 * @returns null when that cannot be done without reading rows anew.
 */
export function alterTarget(
  actual: readonly TargetColumn[],
  wanted: readonly WantedColumn[],
  widens: (actual: string, wanted: string) => boolean = holdsAll,
): string[] | null {
  const present = actual.filter(isOfSource);
  const byComment = new Map(present.map((column) => [column.comment, column]));
  const wantedComments = new Set(wanted.map(commentOf));
  const gone = present.filter(({ comment }) => !wantedComments.has(comment));
  const kept = wanted.flatMap((column) => {
    const found = byComment.get(commentOf(column));
    return found ? [{ column, found }] : [];
  });
  const renames = orderRenames(
    kept.map(({ column, found }) => ({ from: found.name, to: column.name })),
    actual.filter((column) => !gone.includes(column)).map(({ name }) => name),
  );
  const altered = kept.filter(({ column, found }) => column.type !== found.type);
  if (renames === null || altered.some(({ column, found }) => !widens(found.type, column.type))) return null;
  return [
    ...gone.map(({ name }) => `DROP COLUMN ${chIdentifier(name)}`),
    ...renames.map(({ from, to }) => `RENAME COLUMN ${chIdentifier(from)} TO ${chIdentifier(to)}`),
    ...altered.map(({ column }) => `MODIFY COLUMN ${chIdentifier(column.name)} ${column.type}`),
    ...wanted.filter((column) => !byComment.has(commentOf(column))).map(addColumn),
  ];
}

function commentOf({ attnum, before }: WantedColumn): string {
  return columnComment(attnum, before);
}

function addColumn(column: WantedColumn): string {
  const { name, type, default: value } = column;
  const preset = value === null ? '' : ` DEFAULT ${value}`;
  return `ADD COLUMN ${chIdentifier(name)} ${type}${preset} COMMENT ${chLiteral(commentOf(column))}`;
}

/** Each rename waits until its new name is free; null when they wait for each other. */
function orderRenames(
  all: readonly { from: string; to: string }[],
  names: readonly string[],
): { from: string; to: string }[] | null {
  const taken = new Set(names);
  let waiting = all.filter(({ from, to }) => from !== to);
  const ordered: typeof waiting = [];
  while (waiting.length > 0) {
    const next = waiting.find(({ to }) => !taken.has(to));
    if (!next) return null;
    taken.delete(next.from);
    taken.add(next.to);
    ordered.push(next);
    waiting = waiting.filter((each) => each !== next);
  }
  return ordered;
}

/** True when every value of the one type is the same value of the other. */
export function holdsAll(actual: string, wanted: string): boolean {
  if (nullable(actual) === wanted) return true;
  const [from, to] = [decimalOf(actual), decimalOf(wanted)];
  return from !== null && to !== null && from.scale === to.scale && from.precision <= to.precision;
}

function decimalOf(type: string): { precision: number; scale: number } | null {
  const match = /^(?:Nullable\()?Decimal\((\d+), (\d+)\)\)?$/.exec(type);
  return match && { precision: Number(match[1]), scale: Number(match[2]) };
}

function nullable(type: string): string {
  const inside = /^LowCardinality\((.+)\)$/.exec(type)?.[1];
  return inside ? `LowCardinality(Nullable(${inside}))` : `Nullable(${type})`;
}

/** True for a type that holds NULL. */
export function isNullable(type: string): boolean {
  return type.startsWith('Nullable(') || type.startsWith('LowCardinality(Nullable(');
}
