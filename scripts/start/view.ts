import { statusLines } from '../commands/status.ts';
import type { PipelineReport, TableReport } from '../commands/statusReport.ts';
import { formatCount, formatDuration } from '../output.ts';

/** Without a terminal, a table that only counts on is spoken of this often. */
const QUIET_MS = 10_000;

/**
 * Shows the newest status. On a terminal it is redrawn in place; elsewhere (a log, a pipe) a table gets a line when its
 * phase or error changes, and at most every ten seconds while it moves.
 */
export class LiveView {
  readonly #out: NodeJS.WriteStream;
  #drawn = 0;
  #said = new Map<string, { state: string; line: string; at: number }>();

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  update(reports: readonly PipelineReport[], footer: string): void {
    const now = Date.now();
    if (this.#out.isTTY) this.#redraw([...reports.flatMap((report) => [...statusLines(report, now), '']), footer]);
    else for (const report of reports) this.#print(report, now);
  }

  /** Leaves what is drawn where it is; the next output goes below. */
  finish(): void {
    this.#drawn = 0;
  }

  #redraw(lines: readonly string[]): void {
    // A line that wraps, or lines beyond the screen's height, would break the way back up.
    const shown = lines
      .slice(0, (this.#out.rows || 24) - 1)
      .map((line) => line.slice(0, (this.#out.columns || 80) - 1));
    const up = this.#drawn > 0 ? `\u001b[${this.#drawn}A` : '';
    this.#out.write(`${up}${shown.map((line) => `\u001b[2K${line}\n`).join('')}\u001b[J`);
    this.#drawn = shown.length;
  }

  #print(report: PipelineReport, now: number): void {
    // While the stream flows, its last error is history.
    const lastError = report.phase === 'streaming' ? null : report.lastError;
    const problem = report.problem ?? lastError?.message ?? null;
    for (const table of report.tables) {
      const key = `${report.pipeline}.${table.table}`;
      const state = [table.phase, table.lastError?.message ?? (table.load === 'stream' ? problem : null)].join();
      const line = [
        `${report.pipeline.padEnd(10)} ${table.table}: ${tableText(table)}`,
        ...errorText(table, problem),
      ].join('; ');
      const said = this.#said.get(key);
      if (said && (said.line === line || (said.state === state && now - said.at < QUIET_MS))) continue;
      this.#said.set(key, { state, line, at: now });
      this.#out.write(`${line}\n`);
    }
  }
}

function tableText({ phase, rows, copied, rate, lagMs }: TableReport): string {
  return [
    phase,
    ...(copied ? [`${formatCount(copied.rows)} rows copied`] : []),
    ...(rows === null || copied ? [] : [`${formatCount(rows)} rows`]),
    ...(rate ? [`${formatCount(rate)} rows/s`] : []),
    ...(lagMs === null ? [] : [`lag ${formatDuration(lagMs)}`]),
  ].join(', ');
}

function errorText(table: TableReport, problem: string | null): string[] {
  const text = table.lastError?.message ?? (table.load === 'stream' ? problem : null);
  return text === null ? [] : [text];
}
