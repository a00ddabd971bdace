import type { Command } from 'commander';
import type { TableVerification, VerifyReport } from '../../core/activityTypes.ts';
import type { CommandContext } from '../context.ts';
import { formatCount, formatDuration, tableLines } from '../output.ts';
import { runVerify } from './triggerFollow.ts';

export function registerVerify(program: Command, context: CommandContext): void {
  program
    .command('verify')
    .argument('[pipeline]')
    .description('compare source and target of every table; exit 1 on a difference')
    .option('--json', 'print one JSON object')
    .action(async (name: string | undefined, { json }: { json?: true }) => {
      const pipelines = await context.pipelines(name);
      await context.requireWorkers('batch');
      // Progress of a machine's run would only be noise between its lines.
      const say = json ? () => undefined : (line: string) => console.error(line);
      const reports = await Promise.all(
        pipelines.map((pipeline) => runVerify(context, { pipeline: pipeline.name, say })),
      );
      const ok = reports.every((report) => report.ok);
      if (json) console.log(JSON.stringify({ ok, pipelines: reports }, null, 2));
      else for (const report of reports) for (const line of reportLines(report)) console.log(line);
      if (!ok) process.exitCode = 1;
    });
}

function verdictOf({ equal, sourceRows }: TableVerification): string {
  if (sourceRows === null) return equal ? 'history, complete' : 'history, INCOMPLETE';
  return equal ? 'equal' : 'DIFFERENT';
}

/** A table of the tables compared, then the keys that differ. */
export function reportLines({ pipeline, lsn, ok, tables, seconds }: VerifyReport): string[] {
  const columns = [
    { title: 'table' },
    { title: 'load' },
    { title: 'source rows', align: 'right' },
    { title: 'target rows', align: 'right' },
    { title: 'checksum' },
    { title: 'took', align: 'right' },
  ] as const;
  const rows = tables.map((table) => [
    table.table,
    table.load,
    table.sourceRows === null ? '-' : formatCount(table.sourceRows),
    formatCount(table.targetRows),
    verdictOf(table),
    formatDuration(table.seconds * 1000),
  ]);
  const keys = tables.flatMap(({ table, differences }) =>
    differences.map(({ key, kind }) => `  ${table}: ${kind} ${key}`),
  );
  const letters = tables
    .filter(({ equal, deadLetters }) => !equal && deadLetters > 0)
    .map(
      ({ table, deadLetters }) =>
        `  ${table}: dead letters: ${deadLetters}, which may explain it; see: npx tidegate dead-letters list ${pipeline}`,
    );
  const verdict = ok ? 'equal to its source' : 'DIFFERENT from its source';
  return [
    `${pipeline}: ${verdict} at ${lsn}, ${formatDuration(seconds * 1000)}`,
    ...tableLines(columns, rows).map((line) => `  ${line}`),
    ...keys,
    ...letters,
  ];
}
