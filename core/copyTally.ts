import type { CopyProgress } from './activityTypes.ts';

type TableProgress = CopyProgress['tables'][number];

/** Rows and bytes of a copy, counted by table while its parts run side by side. */
export class CopyTally {
  readonly #tables = new Map<string, TableProgress & { parts: number }>();
  readonly #startedAt: string;

  /** @param startedAt ISO 8601. */
  constructor(startedAt: string) {
    this.#startedAt = startedAt;
  }

  /** Makes a table known before its first part is. `estimatedRows` is the planner's estimate, below 0 when it has none. */
  expect(table: string, { parts, estimatedRows }: { parts: number; estimatedRows: number }): void {
    const estimate = Math.max(0, Math.round(estimatedRows));
    this.#tables.set(table, { table, phase: 'waiting', rows: 0, bytes: 0, estimatedRows: estimate, parts });
  }

  /** Counts what a part has moved since it last said so. */
  add(table: string, { rows, bytes }: { rows: number; bytes: number }): void {
    const progress = this.#get(table);
    progress.phase = 'copying';
    progress.rows += rows;
    progress.bytes += bytes;
  }

  /** A part is complete; after its last one the table is done. */
  partDone(table: string): void {
    const progress = this.#get(table);
    progress.parts -= 1;
    progress.phase = progress.parts === 0 ? 'done' : 'copying';
  }

  /** Rows and bytes of one table so far. */
  of(table: string): { rows: number; bytes: number } {
    const { rows, bytes } = this.#get(table);
    return { rows, bytes };
  }

  progress(): CopyProgress {
    return {
      tables: [...this.#tables.values()].map(({ parts: _, ...progress }) => progress),
      startedAt: this.#startedAt,
    };
  }

  #get(table: string): TableProgress & { parts: number } {
    const progress = this.#tables.get(table);
    if (!progress) throw new RangeError(`table ${table} is not part of this copy`);
    return progress;
  }
}
