/**
 * What the benchmarks of marts ask of a pipeline that has some; `pipelines/<name>/benchmark.ts` exports one as `benchmark`.
 * Rows are made by ClickHouse itself in the pipeline's targets, beside those of a small source: what is measured begins there.
 */
export interface MartBenchmark {
  /** Statements that fill the targets. @param rows of the largest one. */
  fill(rows: number): string[];
  /** A mart by days with the days that the rows lie on, or a mart by keys. */
  mart: { name: string; days: { from: string; to: string } } | { name: string; keys: string };
  /** The same question put to what is ready made and to single rows. */
  questions: readonly { name: string; ready: string; single: string }[];
}

/** Columns of a target besides the source's: as if they had been copied. */
export const COPIED = '1 AS _version, 0 AS _deleted, -2 AS _tidegate_partition, 0 AS _tidegate_offset';
