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
 */
export async function verifyPipeline(pipeline: string): Promise<VerifyReport> {
  let report: VerifyReport | null = null;
  setHandler(reportQuery, () => report);
  publish({ pipeline, stage: 'verifying', details: `Comparing every table of **${pipeline}** with its source.` });
  report = await verifyTables(pipeline);
  publish({ pipeline, stage: report.ok ? 'equal' : 'different', details: reportDetails(report) });
  if (report.ok) return report;
  const different = report.tables.filter((table) => !table.equal).map(({ table }) => table);
  const type: ErrorCode = 'DIFFERENCE_FOUND';
  throw ApplicationFailure.create({
    type,
    message: `${pipeline} differs from its source in ${different.join(', ')}. The report lists the keys.`,
    nonRetryable: true,
    details: [report],
  });
}

function reportDetails({ pipeline, lsn, tables, seconds }: VerifyReport): string {
  const line = ({ table, equal, sourceRows, targetRows, differences, deadLetters }: TableVerification) => {
    const keys = differences.map(({ key, kind }) => `  - ${kind}: \`${key}\``);
    const verdict = equal ? 'equal' : '**different**';
    const letters = !equal && deadLetters > 0 ? [`  - ${deadLetters} dead letters, which may explain it`] : [];
    const rows =
      sourceRows === null
        ? `history of ${targetRows} changes, ${equal ? 'complete' : '**incomplete**'}`
        : `${verdict}, ${sourceRows} rows in the source, ${targetRows} in ClickHouse`;
    return [`- ${table}: ${rows}`, ...keys, ...letters];
  };
  return [`**${pipeline}** compared at ${lsn} in ${seconds.toFixed(1)} s:`, '', ...tables.flatMap(line)].join('\n');
}
