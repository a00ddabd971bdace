import type { VerifyReport } from '../../core/activityTypes.ts';

/** The last line of `npm start -- --once`. */
export interface OnceReport {
  ok: boolean;
  pipelines: {
    pipeline: string;
    ok: boolean;
    tables: { table: string; sourceRows: number | null; targetRows: number; equal: boolean }[];
  }[];
  /** From the command's start to its last check. */
  seconds: number;
}

export function onceReport(reports: readonly VerifyReport[], seconds: number): OnceReport {
  return {
    ok: reports.every((report) => report.ok),
    pipelines: reports.map(({ pipeline, ok, tables }) => ({
      pipeline,
      ok,
      tables: tables.map(({ table, sourceRows, targetRows, equal }) => ({ table, sourceRows, targetRows, equal })),
    })),
    seconds,
  };
}
