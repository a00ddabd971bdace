/** A CHECK constraint of one column, or of its domain. */
export interface ColumnCheck {
  /** Its expression as PostgreSQL prints it: `((v > 0) AND (v < 10))`. */
  expression: string;
  /** What the column is called in it: its name as PostgreSQL prints it, or VALUE. */
  name: string;
}

/** What a CHECK demands, each condition apart, `<column>` for the column: `<column> > 0`. */
export function conditionsOf({ expression, name }: ColumnCheck): string[] {
  const inside = withoutParentheses(expression);
  const parts = inside === null ? [expression] : splitAtAnd(inside);
  if (parts.length > 1) return parts.flatMap((part) => conditionsOf({ expression: part, name }));
  const escaped = name.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&');
  return [(inside ?? expression).replace(new RegExp(`(?<![\\w"'.])${escaped}(?![\\w"'(])`), '<column>')];
}

/** What stands between a first and a last parenthesis that belong together; null when they do not. */
function withoutParentheses(text: string): string | null {
  let depth = 0;
  for (const [position, character] of outsideQuotes(text)) {
    if (character === '(') depth++;
    if (character === ')') depth--;
    if (depth === 0) return position === text.length - 1 && text.length > 1 ? text.slice(1, -1) : null;
  }
  return null;
}

function splitAtAnd(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let begin = 0;
  for (const [position, character] of outsideQuotes(text)) {
    if (character === '(') depth++;
    if (character === ')') depth--;
    if (depth > 0 || !text.startsWith(' AND ', position)) continue;
    parts.push(text.slice(begin, position));
    begin = position + ' AND '.length;
  }
  return [...parts, text.slice(begin)];
}

/** The characters that are not inside a quoted name or text, with their positions. */
function* outsideQuotes(text: string): Generator<[position: number, character: string]> {
  let quote = '';
  for (let position = 0; position < text.length; position++) {
    const character = text[position]!;
    if (quote === '' && (character === '"' || character === "'")) quote = character;
    else if (character === quote) quote = '';
    else if (quote === '') yield [position, character];
  }
}
