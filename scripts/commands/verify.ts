import type { Command } from 'commander';
import type { TableVerification, VerifyReport } from '../../core/activityTypes.ts';
import type { CommandContext } from '../context.ts';
import { formatCount, formatDuration, tableLines } from '../output.ts';
import { runVerify } from './triggerFollow.ts';

export function registerVerify(program: Command, context: CommandContext): void {
  program
    .command('verify')
    .argument('[pipeline]')
    .description('compare source and target of every table; exit 1 on a difference, or when one cannot be compared')
    .option('--json', 'print one JSON object')
    .option('--repair', 'give stream tables the rows of the source where they differ, then compare again')
    .action(async (name: string | undefined, { json, repair = false }: { json?: true; repair?: boolean }) => {
      const pipelines = await context.pipelines(name);
      await context.requireWorkers('batch');
      // Progress of a machine's run would only be noise between its lines.
      const say = json ? () => undefined : (line: string) => console.error(line);
      const reports = await Promise.all(
        pipelines.map((pipeline) => runVerify(context, { pipeline: pipeline.name, say, repair })),
      );
      const ok = reports.every((report) => report.ok);
      if (json) console.log(JSON.stringify({ ok, pipelines: reports }, null, 2));
      else for (const report of reports) for (const line of reportLines(report)) console.log(line);
      if (!ok) process.exitCode = 1;
    });
}

function verdictOf({ equal, load, sourceRows, notCompared }: TableVerification): string {
  if (notCompared !== null) return 'not compared';
  if (load === 'history') return equal ? 'complete' : 'INCOMPLETE';
  if (!equal) return 'DIFFERENT';
  // No table of the source says what these events should be.
  return sourceRows === null ? 'each once' : 'equal';
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
    table.sourceRows === null ? '' : formatCount(table.sourceRows),
    table.targetRows === null ? '' : formatCount(table.targetRows),
    verdictOf(table),
    formatDuration(table.seconds * 1000),
  ]);
  const keys = tables.flatMap(({ table, differences }) =>
    differences.map(({ key, kind }) => `  ${table}: ${kind} ${key}`),
  );
  const repaired = tables
    .filter(({ repaired: { keys: count } }) => count > 0)
    .flatMap(({ table, repaired: { keys: count, shown } }) => [
      `  ${table}: keys repaired: ${formatCount(count)}`,
      ...shown.map(({ key, kind }) => `    was ${kind} ${key}`),
    ]);
  const unsettled = tables
    .filter((table) => table.unsettled > 0)
    .map(
      (table) => `  ${table.table}: keys that changed at every reading, not judged: ${formatCount(table.unsettled)}`,
    );
  const reload = tables
    .filter(({ load, equal, notCompared }) => load === 'reference' && !equal && notCompared === null)
    .map(
      ({ table }) => `  ${table}: as of its last load; to load it now: npx tidegate trigger load ${pipeline}.${table}`,
    );
  const aside = tables.flatMap(({ table, notCompared }) =>
    notCompared === null ? [] : [`  ${table}: ${notCompared}`],
  );
  const letters = tables
    .filter(({ equal, deadLetters }) => !equal && deadLetters > 0)
    .map(
      ({ table, deadLetters }) =>
        `  ${table}: dead letters: ${deadLetters}, which may explain it; see: npx tidegate dead-letters list ${pipeline}`,
    );
  const different = tables.some(({ equal, notCompared }) => !equal && notCompared === null);
  const verdict = ok ? 'equal to its source' : different ? 'DIFFERENT from its source' : 'not wholly compared';
  return [
    `${pipeline}: ${verdict} at ${lsn}, ${formatDuration(seconds * 1000)}`,
    ...tableLines(columns, rows).map((line) => `  ${line}`),
    ...keys,
    ...repaired,
    ...unsettled,
    ...reload,
    ...aside,
    ...letters,
  ];
}
