import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Definitions, FoundPipeline } from '../adapters/definitions.ts';
import type { Pipeline } from '../core/definition.ts';
import type { PipelineMart } from '../core/definitionMarts.ts';
import { TidegateError } from '../core/errors.ts';
import { chIdentifier, chTable } from '../core/identifiers.ts';
import { findMart } from '../core/martInputs.ts';
import { DEAD_LETTERS_TABLE, PERIODS_TABLE } from '../core/names.ts';
import type { Report } from '../pipelines/report.ts';

/** A report with the pipeline and the mart that it is of. */
export interface FoundReport {
  pipeline: Pipeline;
  mart: PipelineMart;
  report: Report;
}

const reportFile = (found: FoundPipeline) => join(found.folder, 'report.ts');

/** Names of the pipelines that have a report. */
export function reportNames(definitions: Definitions): string[] {
  return definitions.names.filter((name) => existsSync(reportFile(definitions.get(name))));
}

/** @throws TidegateError INVALID_DEFINITION when the report names what its mart does not have. */
export async function findReport(definitions: Definitions, name: string): Promise<FoundReport> {
  const found = definitions.get(name);
  const file = reportFile(found);
  if (!existsSync(file)) {
    throw new TidegateError('INVALID_SETTING', `pipeline '${name}' has no report.ts`, {
      remedy: `These have: ${reportNames(definitions).join(', ') || 'none'}.`,
    });
  }
  const { report }: { report: Report } = await import(pathToFileURL(file).href);
  const mart = findMart(found.pipeline, report.mart);
  const lacking = [mart.period, report.item.column].find((column) => !Object.hasOwn(report.columns, column));
  if (lacking === undefined) return { pipeline: found.pipeline, mart, report };
  throw new TidegateError('INVALID_DEFINITION', `${file}: the report's columns lack '${lacking}'`, {
    remedy: "Add it: a row is known by the mart's period and the report's item.",
  });
}

/** What the service's account in ClickHouse may do, as the middle of a GRANT: to read its mart, and whether a day of it is merged. */
export function reportGrants({ pipeline, mart }: FoundReport): string[] {
  const columns = (...names: string[]) => names.map(chIdentifier).join(', ');
  const on = (name: string) => chTable({ database: pipeline.database, name });
  return [
    `SELECT ON ${on(mart.name)}`,
    `SELECT ON ${on(PERIODS_TABLE)}`,
    `SELECT(${columns(mart.late.time, '_partition', '_offset')}) ON ${on(mart.late.input)}`,
    `SELECT(${columns('topic', 'partition', 'offset')}) ON ${on(DEAD_LETTERS_TABLE)}`,
  ];
}
