import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chart } from './chart.ts';
import type { BenchReport } from './result.ts';
import { COLUMNS, figureRows } from './table.ts';

const docs = new URL('../../docs/', import.meta.url);

/** Writes docs/performance.md and docs/performance.svg. */
export function writePage(report: BenchReport): void {
  writeFileSync(fileURLToPath(new URL('performance.svg', docs)), chart(report));
  writeFileSync(fileURLToPath(new URL('performance.md', docs)), pageText(report));
}

function pageText(report: BenchReport): string {
  const { machine, date, results } = report;
  const head = COLUMNS.map(({ title }) => title);
  const line = COLUMNS.map(({ align }) => (align === 'right' ? '--:' : '---'));
  const rows = (figures: BenchReport['results'][number]['figures']) => figures.flatMap(figureRows);
  const sections = results.flatMap(({ name, about, bytes, seconds, figures }) => [
    `## ${name}`,
    '',
    `${about}${bytes ? ` ${(bytes / 1e6).toFixed(0)} MB.` : ''} The whole benchmark took ${seconds.toFixed(0)} s.`,
    '',
    ...[head, line, ...rows(figures)].map((cells) => `| ${cells.join(' | ')} |`),
    '',
  ]);
  return [
    '# Performance',
    '',
    'What `npm run bench -- --page` measured: Tidegate and its peers side by side, in one run, on one stack, with the same',
    'source and the same messages. A ratio above 1 is in favour of Tidegate, whatever the unit. Only ratios carry over to',
    'another machine.',
    '',
    `Measured ${date} on ${machine.cores} cores (${machine.processor}) with ${machine.memoryGb} GiB, which the source, Kafka, Kafka`,
    'Connect, ClickHouse and the workers share.',
    '',
    '![Ratios of the benchmarks](performance.svg)',
    '',
    ...sections,
  ].join('\n');
}
