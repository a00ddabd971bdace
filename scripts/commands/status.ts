import type { Command } from 'commander';
import type { CommandContext } from '../context.ts';
import { formatBytes, formatCount, formatDuration, formatTime, tableLines, wrap } from '../output.ts';
import type { PipelineReport, TableReport } from './statusReport.ts';

export function registerStatus(program: Command, context: CommandContext): void {
  program
    .command('status')
    .argument('[pipeline]')
    .description('what every pipeline and table is doing')
    .option('--json', 'print one JSON object with every detail')
    .action(async (name: string | undefined, { json }: { json?: true }) => {
      const pipelines = await context.pipelines(name);
      const temporal = await context.temporal();
      const { readStatus } = await import('./statusReport.ts');
      const { martLine, readMarts } = await import('./statusMarts.ts');
      const { keyedMartLine, readKeyedMarts } = await import('./statusKeyedMarts.ts');
      const { environment, clickhouse } = context;
      const sources = { environment, temporal, clickhouse };
      const [reports, marts, keyedMarts] = await Promise.all([
        readStatus(sources, pipelines),
        readMarts(sources, pipelines),
        readKeyedMarts(sources, pipelines),
      ]);
      if (json) {
        const all = reports.map((report, index) => ({ ...report, marts: marts[index], keyedMarts: keyedMarts[index] }));
        console.log(JSON.stringify({ pipelines: all }, null, 2));
        return;
      }
      const texts = reports.map((report, index) => {
        const lines = [...marts[index]!.map(martLine), ...keyedMarts[index]!.map(keyedMartLine)];
        const martLines = lines.flatMap((line) => wrap(`  ${line}`, '    '));
        return [...statusLines(report, Date.now()), ...martLines].join('\n');
      });
      console.log(texts.join('\n\n'));
    });
}

/** How many of the last changes of the source's schema are shown; the table tidegate_schema has all. */
const SHOWN_CHANGES = 3;

/** A pipeline as text of at most 100 columns: what it does, what is wrong, then its tables. */
export function statusLines(report: PipelineReport, now: number): string[] {
  const { pipeline, phase, since, reason, lastError, problem, rowsUnknown, verify, schema, tables } = report;
  const duration = since === null ? '' : ` for ${formatDuration(now - Date.parse(since))}`;
  const notes = [
    `${pipeline}: ${phase}${duration}. ${reason}`,
    ...connectorNotes(report),
    ...relayNotes(report),
    ...(problem === null ? [] : [`problem: ${problem}`]),
    ...(lastError === null ? [] : [`last error, ${formatTime(lastError.at)}: ${lastError.code}: ${lastError.message}`]),
    ...tables.flatMap(({ table, lastError: error }) => (error ? [`${table}: ${error.code}: ${error.message}`] : [])),
    ...tables.flatMap(({ table, deadLetters: letters }) =>
      letters ? [`${table}: dead letters: ${letters}; see: npx tidegate dead-letters list ${pipeline}`] : [],
    ),
    ...schema.changes.slice(0, SHOWN_CHANGES).map(({ table, change, at }) => `${formatTime(at)} ${table}: ${change}`),
    ...(rowsUnknown === null ? [] : [`rows unknown: ${rowsUnknown}`]),
    ...(verify.next === null ? [] : [`next verify: ${nextText(verify.next)}`]),
  ];
  const columns = [
    { title: 'table' },
    { title: 'load' },
    { title: 'phase' },
    { title: 'rows', align: 'right' },
    { title: 'rate', align: 'right' },
    { title: 'lag', align: 'right' },
    { title: 'last', align: 'right' },
    { title: 'next load' },
  ] as const;
  const rows = tables.map((table) => tableRow(table, now));
  return [
    ...notes.flatMap((note, index) => wrap(index === 0 ? note : `  ${note}`, '    ')),
    ...tableLines(columns, rows).map((line) => `  ${line}`),
  ];
}

function connectorNotes({ connector }: PipelineReport): string[] {
  if (connector === null) return [];
  const { slot, tasks, state } = connector;
  const failed = tasks.find((task) => task.state === 'FAILED');
  const slotText = slot
    ? `slot ${slot.name} ${slot.active ? 'active' : 'inactive'}, WAL ${slot.walStatus}, ` +
      `${formatBytes(slot.retainedBytes)} retained`
    : 'no slot';
  return [
    `connector ${connector.connector} ${state}${failed ? `, task ${failed.id} FAILED` : ''}; ${slotText}`,
    ...(connector.problem === null ? [] : [`problem: ${connector.problem}`]),
  ];
}

function relayNotes({ relay }: PipelineReport): string[] {
  if (relay === null) return [];
  const counts = relay.outboxes.map(({ outbox, sent, unsent, rate }) => {
    const rows = sent === null || unsent === null ? '' : `, sent ${formatCount(sent)}, unsent ${formatCount(unsent)}`;
    return `outbox ${outbox}: ${relay.phase}${rows}${rate === null ? '' : `, ${formatCount(rate)}/s`}`;
  });
  return [
    ...counts,
    ...(relay.phase === 'relaying' ? [] : [`relay: ${relay.reason}`]),
    ...relay.outboxes.flatMap(({ outbox, problem }) => (problem === null ? [] : [`outbox ${outbox}: ${problem}`])),
    ...(relay.lastError === null
      ? []
      : [`relay's last error, ${formatTime(relay.lastError.at)}: ${relay.lastError.code}: ${relay.lastError.message}`]),
  ];
}

function tableRow(table: TableReport, now: number): string[] {
  const { rows, copied, rate, lagMs, lastChangeAt, lastLoadAt, next } = table;
  const last = lastChangeAt ?? lastLoadAt;
  return [
    table.table,
    table.load,
    copied ? `${table.phase} ${copiedText(copied)}` : table.phase,
    rows === null ? '' : formatCount(rows),
    rate === null ? '' : `${formatCount(rate)}/s`,
    lagMs === null ? '' : formatDuration(lagMs),
    last === null ? '' : `${formatDuration(Math.max(0, now - Date.parse(last)))} ago`,
    next === null ? '' : nextText(next),
  ];
}

function copiedText({ rows, estimatedRows }: { rows: number; estimatedRows: number }): string {
  if (estimatedRows <= 0) return formatCount(rows);
  return `${Math.min(99, Math.floor((100 * rows) / estimatedRows))} %`;
}

export function nextText({ at, paused, note }: NonNullable<TableReport['next']>): string {
  if (paused) return `paused${note ? ` (${note.slice(0, 30)})` : ''}`;
  return at === null ? 'never' : formatTime(at);
}
