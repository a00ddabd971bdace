import { ApplicationFailure, defineQuery, setHandler } from '@temporalio/workflow';
import type { TableVerification, VerifyReport } from '../core/activityTypes.ts';
import type { ErrorCode } from '../core/errors.ts';
import { verifyTables } from './activities.ts';
import { publish } from './publish.ts';

/** The finished report; null while tables are still being compared. */
export const reportQuery = defineQuery<VerifyReport | null>('report');

/**
 * Compares source and target of every table of a pipeline.
 * A difference fails the workflow with DIFFERENCE_FOUND, so that lists of workflows show it in red; the report is the
 * failure's detail.
 * @param options.repair true: gives stream tables the source's rows where they differ, and then compares all again.
 */
export async function verifyPipeline(pipeline: string, options?: { repair?: boolean }): Promise<VerifyReport> {
  let report: VerifyReport | null = null;
  setHandler(reportQuery, () => report);
  publish({ pipeline, stage: 'verifying', details: `Comparing every table of **${pipeline}** with its source.` });
  if (options?.repair) {
    const first = await verifyTables(pipeline, { repair: true });
    report = first.tables.some(({ repaired }) => repaired.keys > 0)
      ? withRepaired(await verifyTables(pipeline), first)
      : first;
  } else {
    report = await verifyTables(pipeline);
  }
  publish({ pipeline, stage: report.ok ? 'equal' : 'different', details: reportDetails(report) });
  if (report.ok) return report;
  const type: ErrorCode = 'DIFFERENCE_FOUND';
  throw ApplicationFailure.create({
    type,
    message: `${summary(report)}.`,
    nonRetryable: true,
    details: [report],
  });
}

/** The report after a repair, with what the repair did. */
function withRepaired(after: VerifyReport, { tables: before, seconds }: VerifyReport): VerifyReport {
  const tables = after.tables.map((table) => ({
    ...table,
    repaired: before.find((each) => each.table === table.table)?.repaired ?? table.repaired,
  }));
  return { ...after, tables, seconds: seconds + after.seconds };
}

function summary({ pipeline, tables }: VerifyReport): string {
  const names = (some: TableVerification[]) => some.map(({ table }) => table).join(', ');
  const aside = tables.filter(({ notCompared }) => notCompared !== null);
  const different = tables.filter(({ equal, notCompared }) => !equal && notCompared === null);
  return [
    ...(different.length > 0
      ? [`${pipeline} differs from its source in ${names(different)}; the report lists the keys`]
      : []),
    ...(aside.length > 0 ? [`not compared, because left aside: ${names(aside)}`] : []),
  ].join('. ');
}

function reportDetails({ pipeline, lsn, tables, seconds }: VerifyReport): string {
  const line = (compared: TableVerification) => {
    const { table, load, notCompared, equal, sourceRows, targetRows, differences, deadLetters, unsettled, repaired } =
      compared;
    if (notCompared !== null) return [`- ${table}: **not compared**: ${notCompared}`];
    const keys = differences.map(({ key, kind }) => `  - ${kind}: \`${key}\``);
    const verdict = equal ? 'equal' : '**different**';
    const letters = !equal && deadLetters > 0 ? [`  - ${deadLetters} dead letters, which may explain it`] : [];
    const rows =
      load === 'history'
        ? `history of ${targetRows} changes, ${equal ? 'complete' : '**incomplete**'}`
        : sourceRows === null
          ? `${verdict}, ${targetRows} events, of which each must be there once`
          : `${verdict}, ${sourceRows} rows in the source, ${targetRows} in ClickHouse`;
    return [
      `- ${table}: ${rows}`,
      ...keys,
      ...(unsettled > 0 ? [`  - ${unsettled} keys changed at every reading, and were not judged`] : []),
      ...(repaired.keys > 0 ? [`  - repaired: ${repaired.keys}`] : []),
      ...repaired.shown.map(({ key, kind }) => `  - repaired, was ${kind}: \`${key}\``),
      ...letters,
    ];
  };
  return [`**${pipeline}** compared at ${lsn} in ${seconds.toFixed(1)} s:`, '', ...tables.flatMap(line)].join('\n');
}
