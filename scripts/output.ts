/** Plain text for terminals and log files: no colours, no cursor movements, 100 columns at most. */

export const WIDTH = 100;

export interface Column {
  title: string;
  align?: 'left' | 'right';
}

/** Lines of a table with as much room as its widest cells need; columns are two spaces apart. */
export function tableLines(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  const cells = [columns.map(({ title }) => title), ...rows];
  const widths = columns.map((_, index) => Math.max(...cells.map((row) => displayWidth(row[index] ?? ''))));
  return cells.map((row) =>
    columns
      .map(({ align }, index) => {
        const text = row[index] ?? '';
        const padding = ' '.repeat(widths[index]! - displayWidth(text));
        return align === 'right' ? padding + text : text + padding;
      })
      .join('  ')
      .trimEnd(),
  );
}

/** Breaks a text at spaces into lines of at most WIDTH columns; each after the first is indented by `indent`. */
export function wrap(text: string, indent: string): string[] {
  const [first = '', ...words] = text.trimStart().split(' ');
  const lines: string[] = [];
  let line = ' '.repeat(text.length - text.trimStart().length) + first;
  for (const word of words) {
    if (line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = indent + word;
    } else {
      line += ` ${word}`;
    }
  }
  return [...lines, line];
}

export function formatCount(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** `950 B`, `3.1 MB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, bytes)) / 3)));
  const value = bytes / 1000 ** power;
  return `${power === 0 ? value : value.toFixed(1)} ${units[power]}`;
}

/** `45 ms`, `3.2 s`, `12 min`, `5 h`, `3 d`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 100_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`;
  return ms < 172_800_000 ? `${Math.round(ms / 3_600_000)} h` : `${Math.round(ms / 86_400_000)} d`;
}

/** `2025-01-31 04:05 UTC`. */
export function formatTime(time: Date | string): string {
  const iso = new Date(time).toISOString();
  return `${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC`;
}

/** Columns that a terminal gives to a text of the scripts used here: combining marks take none. */
function displayWidth(text: string): number {
  return [...text.replace(/\p{M}/gu, '')].length;
}
