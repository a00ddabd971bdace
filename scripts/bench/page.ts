import type { BenchReport } from './result.ts';
export function writePage(report: BenchReport): void {
  void report;
}
