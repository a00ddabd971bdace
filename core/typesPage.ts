import type { SourceColumn } from './catalog.ts';
import { TYPE_RULES } from './typeMapping.ts';
import { ARRAY_LIMITS, ARRAY_NOTE } from './typeMappingArrays.ts';
import type { TypeLimit, TypeRule } from './typeMappingRule.ts';

const INTRODUCTION = `# Types

What each PostgreSQL type becomes in ClickHouse. A value arrives as it is, or it is refused with a message that names the
column. Where Debezium sends one text for two values (00:00:00 for 24:00:00 too), the row is read from the source by its
key, and refused where that cannot be. \`tidegate plan\` warns of what is refused with a line that begins with \`?\`. The
remedies are for the owner of the source: a CHECK that keeps such values out, written as here, also ends the warning.

- A column that may be NULL is Nullable in ClickHouse; an array that is NULL, empty or holds NULLs stays told apart.
- A domain is its base type. Where the domain or the column says NOT NULL, the target has no NULL.
- A generated column is not streamed, for Debezium does not send it; a load has it.
- "Loads" below are the copies of reference tables and the first copy of a stream. The type of a column is the same in both.
`;

const OTHERS = `## Types without a row

Types that are not above are, among others, the geometric types, \`bit varying\`, and the types of extensions. So are arrays of
a type that says no in its column, and arrays that are declared with more than one dimension. A stream refuses such a
column before anything is created, because Debezium does not carry its values exactly. A reference table
(\`load: 'reference'\`) keeps PostgreSQL's text in a String.

## Large values

PostgreSQL leaves a large value out of an update that does not touch it, and Debezium reads it again from the source. Where the
row is gone or has moved by then, Tidegate reads it by its key, or finds that its delete follows. Where Debezium
sends nothing that could be told from NULL (arrays that are marked with "full"), a column that may be NULL needs \`ALTER TABLE ... REPLICA IDENTITY FULL\`;
so does \`bit(n)\` of more than 128 bits. \`plan\` says so.
`;

/** The page docs/types.md. */
export function typesPage(): string {
  const rows = [...TYPE_RULES.map(ruleRow), arrayRow()];
  const head = ['PostgreSQL', 'ClickHouse', 'Kept as', 'Refused or changed', 'What to do', 'Arrays'];
  const lines = [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
  return `${INTRODUCTION}\n## Table of types\n\n${lines.join('\n')}\n\n${OTHERS}`;
}

function ruleRow(rule: TypeRule): string[] {
  const limits = rule.limits ?? [];
  return [rule.postgres, code(rule.clickhouse), rule.note, ...limitCells(limits), arraysOf(rule)];
}

function arrayRow(): string[] {
  return ['arrays', code('String'), ARRAY_NOTE, ...limitCells(ARRAY_LIMITS), ''];
}

function limitCells(limits: readonly TypeLimit[]): [lost: string, remedy: string] {
  const lost = limits.map(({ lost, streamOnly, unlessReread }) => {
    if (unlessReread) return `${lost} (streams only, in a key or without one)`;
    return `${lost}${streamOnly ? ' (streams only)' : ''}`;
  });
  return [sentences(lost), sentences(limits.map(({ remedy }) => remedy.replaceAll('<column>', 'v')))];
}

/** Whether arrays of the type are streamed, and how an unchanged large one is known. */
function arraysOf({ convert, names }: TypeRule): string {
  const { element } = convert(sampleColumn(names[0] ?? ''));
  if (!element) return 'no';
  return element.unavailable === 'null' ? 'yes, full' : 'yes';
}

function sampleColumn(typeName: string): SourceColumn {
  return {
    ...{ name: 'v', attnum: 1, type: typeName, typeName, typeKind: 'b', typeCategory: '', dimensions: 0 },
    ...{ notNull: false, generated: false, default: null },
  };
}

function sentences(parts: readonly string[]): string {
  return parts.map((part) => `${part.charAt(0).toUpperCase()}${part.slice(1)}.`).join(' ');
}

function code(text: string): string {
  return `\`${text}\``;
}
