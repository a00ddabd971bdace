/** What spreadsheets take for the beginning of a formula, in all the widths they know. */
const FORMULA = /^[=+\-@\t\r\n＝＋－＠]/;

/**
 * Rows as RFC 4180 has them, with a header line. Texts are quoted, and one that a spreadsheet would run as a formula gets an
 * apostrophe in front; what is null is empty; an object is its JSON.
 */
export function toCsv(columns: readonly string[], rows: readonly Record<string, unknown>[]): string {
  const lines = rows.map((row) => columns.map((name) => cell(row[name])).join(','));
  return [columns.map(cell).join(','), ...lines, ''].join('\r\n');
}

function cell(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'number') return String(value);
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return `"${(FORMULA.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`;
}
