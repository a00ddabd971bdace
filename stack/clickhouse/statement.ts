import { raise } from './errors.ts';
import { type Token, tokenize } from './tokens.ts';

/**
 * What a request's SQL is, as far as this server must know. The engine reads and writes data through a named pipe, so the places
 * where the pipe's name goes into the text are found here; everything else about the SQL is the engine's business.
 */
export type Statement =
  /** An INSERT with its data behind it: data begins at `dataStart`. */
  | { kind: 'insert'; format: string; dataStart: number; sql: (pipe: string) => string }
  /** A SELECT, whose result is streamed. `format` is undefined when the text names none. */
  | { kind: 'select'; format: string | undefined; sql: (pipe: string) => string }
  /** DDL, INSERT SELECT, SHOW and the rest: small results or none. */
  | { kind: 'other'; format: string | undefined; text: string };

const SELECT_STARTS = new Set(['SELECT', 'WITH', 'FROM', '(']);

/**
 * Recognises the statement at the beginning of `text`.
 *
 * @param text the SQL, one character a byte (latin1), because data of any format may follow it
 * @param ended whether `text` is all there is
 * @returns undefined when more of the request must be read first
 * @throws ClickHouseException for several statements in one request, and for files of the server's machine
 */
export function parseStatement(text: string, ended: boolean): Statement | undefined {
  const first = firstToken(text);
  if (!first || (!ended && first.end === text.length)) {
    if (!ended) return undefined;
    throw raise.syntax('Empty query. Send SQL in the query parameter or in the request body.');
  }
  if (first.text.toUpperCase() === 'INSERT') {
    const insert = parseInsert(text, ended);
    if (insert || !ended) return insert;
  }
  if (!ended) return undefined;
  const tokens = wholeStatement(text);
  const tail = findFormat(tokens);
  const end = tokens.at(-1)!.end;
  const select =
    SELECT_STARTS.has(first.text.toUpperCase()) && !tokens.some((token) => token.depth === 0 && is(token, 'INSERT'));
  refuseFiles(tokens);
  if (!select) return { kind: 'other', format: tail?.format, text: utf8(text.slice(0, end)) };
  const at = tail?.start ?? end;
  const [head, rest] = [utf8(text.slice(0, at)), utf8(text.slice(at, end))];
  return {
    kind: 'select',
    format: tail?.format,
    sql: (pipe) => `${head} INTO OUTFILE ${quote(pipe)} APPEND ${rest}`,
  };
}

/** Finds where the header of an INSERT ends and its data begins; undefined when no data belongs to it, or not enough was read. */
function parseInsert(text: string, ended: boolean): Statement | undefined {
  const tokens: Token[] = [];
  let tableEnd = 0;
  let select = false;
  let settingsAt: number | undefined;
  let input: { start: number; args: number; depth: number; end?: number } | undefined;
  for (const token of tokenize(text)) {
    const previous = tokens.at(-1);
    tokens.push(token);
    if (tableEnd === 0) {
      if (isTableEnd(tokens)) tableEnd = tokens.length;
      continue;
    }
    if (token.text === '.' || previous?.text === '.') continue;
    if ((is(token, 'SELECT') || is(token, 'WITH')) && (token.depth === 0 || previous?.text === '(')) select = true;
    if (select && is(previous, 'INPUT') && token.text === '(') {
      input = { start: previous!.start, args: token.end, depth: token.depth };
    }
    if (input && input.end === undefined && token.text === ')' && token.depth === input.depth) input.end = token.end;
    if (token.depth !== 0) continue;
    // A table may be called format, too.
    const names = is(previous, 'FORMAT') && tokens.length - 2 >= tableEnd && tokens.at(-3)?.text !== '.';
    if (is(previous, 'FROM') && is(token, 'INFILE')) {
      throw raise.notImplemented('FROM INFILE reads files of the server. Send the data in the request body.');
    }
    if (is(token, 'SETTINGS')) settingsAt ??= token.start;
    if (is(token, 'VALUES') && !names && !select) {
      return insertInto({ text, settingsAt, formatAt: token.start, format: 'Values', dataStart: token.end });
    }
    if (names && token.kind === 'word' && (!select || input)) {
      const dataStart = skipOneLineEnd(text, token.end, ended);
      if (dataStart === undefined) return undefined;
      const format = token.text;
      const formatAt = previous!.start;
      if (!input?.end) return insertInto({ text, settingsAt, formatAt, format, dataStart });
      const [head, args] = [utf8(text.slice(0, input.start)), utf8(text.slice(input.args, input.end))];
      const rest = utf8(text.slice(input.end, formatAt));
      const sql = (pipe: string) => `${head}file(${quote(pipe)}, ${quote(format)}, ${args}${rest}`;
      return { kind: 'insert', format, dataStart, sql };
    }
  }
  return undefined;
}

interface InsertHeader {
  text: string;
  settingsAt: number | undefined;
  formatAt: number;
  format: string;
  dataStart: number;
}

/** The engine reads the rows from the pipe by FROM INFILE, whose place is before SETTINGS and FORMAT. */
function insertInto({ text, settingsAt, formatAt, format, dataStart }: InsertHeader): Statement {
  const head = utf8(text.slice(0, settingsAt ?? formatAt));
  const settings = settingsAt === undefined ? '' : utf8(text.slice(settingsAt, formatAt));
  const sql = (pipe: string) => `${head} FROM INFILE ${quote(pipe)} COMPRESSION 'none' ${settings} FORMAT ${format}`;
  return { kind: 'insert', format, dataStart, sql };
}

/** True when the last token ends `INSERT [INTO] [TABLE] name[.name]` or `INSERT INTO [TABLE] FUNCTION name`. */
function isTableEnd(tokens: Token[]): boolean {
  const names = tokens.slice(1).filter((token) => token.text !== '.');
  while (is(names[0], 'INTO') || is(names[0], 'TABLE')) names.shift();
  if (is(names[0], 'FUNCTION')) return names.length === 2;
  if (names.length === 0 || tokens.at(-1)!.text === '.') return false;
  return true;
}

/** Data begins after blanks and at most one line end, exactly as in ClickHouse, so that binary data keeps its first bytes. */
function skipOneLineEnd(text: string, from: number, ended: boolean): number | undefined {
  let at = from;
  while (text[at] === ' ' || text[at] === '\t' || text[at] === '\f') at += 1;
  if (text[at] === ';') at += 1;
  if (text[at] === '\r') at += 1;
  if (at >= text.length && !ended) return undefined;
  return text[at] === '\n' ? at + 1 : at;
}

/** The last `FORMAT name` that ends the statement or is followed by SETTINGS only. */
function findFormat(tokens: Token[]): { format: string; start: number } | undefined {
  for (let i = tokens.length - 2; i > 0; i -= 1) {
    const [token, name, after] = [tokens[i]!, tokens[i + 1]!, tokens[i + 2]];
    if (token.depth !== 0 || !is(token, 'FORMAT') || name.kind !== 'word') continue;
    if (!after || is(after, 'SETTINGS')) return { format: name.text, start: token.start };
  }
  return undefined;
}

/** All tokens of the only statement in `text`, without a semicolon at the end. */
function wholeStatement(text: string): Token[] {
  const tokens = [...tokenize(text)];
  while (tokens.at(-1)?.text === ';') tokens.pop();
  const separator = tokens.find((token) => token.text === ';');
  if (separator) {
    throw raise.syntax(
      `Multi-statements are not allowed: failed at position ${separator.start + 1}. Send them one by one.`,
    );
  }
  if (tokens.length === 0) throw raise.syntax('Empty query. Send SQL in the query parameter or in the request body.');
  return tokens;
}

function refuseFiles(tokens: Token[]): void {
  if (tokens.some((token, i) => is(token, 'OUTFILE') && is(tokens[i - 1], 'INTO') && token.depth === 0)) {
    throw raise.notImplemented('INTO OUTFILE writes files of the server. Read the result from the response.');
  }
}

function firstToken(text: string): Token | undefined {
  for (const token of tokenize(text)) return token;
  return undefined;
}

function is(token: Token | undefined, word: string): boolean {
  return token?.kind === 'word' && token.text.toUpperCase() === word;
}

function utf8(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString('utf8');
}

/** A ClickHouse string literal. */
export function quote(value: string): string {
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
