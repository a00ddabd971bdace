/** One lexical element of a SQL text. Comments and white space are left out. Offsets count characters. */
export interface Token {
  kind: 'word' | 'quoted' | 'string' | 'number' | 'symbol';
  text: string;
  start: number;
  end: number;
  /** How many brackets are open around it. An opening and its closing bracket have the same depth. */
  depth: number;
}

const SPACE = /[ \t\n\r\f\v]/;
const WORD_START = /[A-Za-z_\u0080-\u00ff]/;
const WORD = /[A-Za-z0-9_$\u0080-\u00ff]+/y;
const NUMBER = /[0-9][A-Za-z0-9_.]*/y;
const HEREDOC = /\$[A-Za-z0-9_]*\$/y;

/** Cuts a SQL text (one character a byte) into tokens, one at a time, so that data after an INSERT's header is never looked at. */
export function* tokenize(sql: string): Generator<Token> {
  let at = 0;
  let depth = 0;
  while (at < sql.length) {
    const char = sql[at]!;
    if (SPACE.test(char)) {
      at += 1;
      continue;
    }
    const comment = commentEnd(sql, at);
    if (comment !== undefined) {
      at = comment;
      continue;
    }
    const start = at;
    let kind: Token['kind'] = 'symbol';
    if (char === "'" || char === '`' || char === '"') {
      kind = char === "'" ? 'string' : 'quoted';
      at = quotedEnd(sql, at, char);
    } else if (char === '$' && match(HEREDOC, sql, at)) {
      kind = 'string';
      const mark = match(HEREDOC, sql, at)!;
      const close = sql.indexOf(mark, at + mark.length);
      at = close < 0 ? sql.length : close + mark.length;
    } else if (WORD_START.test(char)) {
      kind = 'word';
      at += match(WORD, sql, at)!.length;
    } else if (char >= '0' && char <= '9') {
      kind = 'number';
      at += match(NUMBER, sql, at)!.length;
    } else {
      at += 1;
    }
    if (kind === 'symbol' && (char === ')' || char === ']' || char === '}')) depth -= 1;
    yield { kind, text: sql.slice(start, at), start, end: at, depth };
    if (kind === 'symbol' && (char === '(' || char === '[' || char === '{')) depth += 1;
  }
}

function match(pattern: RegExp, sql: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(sql)?.[0];
}

/** Where a comment that starts at `at` ends; undefined when none starts there. */
function commentEnd(sql: string, at: number): number | undefined {
  const two = sql.slice(at, at + 2);
  if (two === '/*') {
    const close = sql.indexOf('*/', at + 2);
    return close < 0 ? sql.length : close + 2;
  }
  if (two === '--' || two === '# ' || two === '#!') {
    const line = sql.indexOf('\n', at);
    return line < 0 ? sql.length : line + 1;
  }
  return undefined;
}

/** A doubled quote and a backslash both escape, as in ClickHouse. An unclosed quote runs to the end of the text. */
function quotedEnd(sql: string, start: number, quote: string): number {
  for (let at = start + 1; at < sql.length; at += 1) {
    if (sql[at] === '\\') at += 1;
    else if (sql[at] === quote) {
      if (sql[at + 1] !== quote) return at + 1;
      at += 1;
    }
  }
  return sql.length;
}
