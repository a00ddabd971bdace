/**
 * Bytes as text that is safe for a terminal: control characters, and characters that are invisible or turn the writing
 * direction, are written as escapes; bytes that are not UTF-8 as \xNN.
 * @param options.lines keeps line breaks as they are.
 */
export function visibleText(value: Buffer | string, { lines = false }: { lines?: boolean } = {}): string {
  const text = typeof value === 'string' ? value : decode(value);
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}\p{Cs}]/gu, (character) => {
    if (character === '\n') return lines ? character : '\\n';
    const code = character.codePointAt(0)!;
    return code > 0xffff ? `\\u{${code.toString(16)}}` : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return [...bytes].map((byte) => (byte < 0x80 ? String.fromCharCode(byte) : `\\x${byte.toString(16)}`)).join('');
  }
}

/**
 * A JSON text with an element a line. Its numbers and strings stay as they were written, so that no digit of a 64-bit
 * integer or a decimal is lost; null when it is not JSON.
 */
export function prettyJson(text: string): string | null {
  try {
    JSON.parse(text);
  } catch {
    return null;
  }
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g) ?? [];
  let depth = 0;
  const line = () => `\n${'  '.repeat(depth)}`;
  return tokens
    .map((token, index) => {
      if (token === '{' || token === '[') {
        depth++;
        return isClosing(tokens[index + 1]) ? token : token + line();
      }
      if (isClosing(token)) {
        depth--;
        return isOpening(tokens[index - 1]) ? token : line() + token;
      }
      if (token === ',') return token + line();
      return token === ':' ? ': ' : token;
    })
    .join('');
}

function isOpening(token: string | undefined): boolean {
  return token === '{' || token === '[';
}

function isClosing(token: string | undefined): boolean {
  return token === '}' || token === ']';
}
