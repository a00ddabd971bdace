import type { DayToMerge, Watermark } from './mergeTypes.ts';

/** Days of one partition that a workflow wants merged. */
export interface PartitionRequest {
  /** Who asks, and is told when it is done. */
  workflowId: string;
  runId: string;
  days: string[];
  watermark: Watermark;
}

/**
 * What waits to be merged into one partition. A merge takes everything that waits at once; what is asked for meanwhile is
 * merged after it, and never lost.
 */
export class MergeQueue {
  #waiting: PartitionRequest[] = [];
  #merging: PartitionRequest[] = [];

  /** A request that is repeated while it waits or is merged counts once. */
  add(request: PartitionRequest): void {
    const same = ({ runId, days }: PartitionRequest) => runId === request.runId && days.join() === request.days.join();
    if (![...this.#waiting, ...this.#merging].some(same)) this.#waiting.push(request);
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Everything that waits, as one merge; null when nothing does. A day takes the latest watermark that it was asked with. */
  next(): { requests: readonly PartitionRequest[]; days: DayToMerge[] } | null {
    if (this.#waiting.length === 0) return null;
    this.#merging = this.#waiting;
    this.#waiting = [];
    const days = new Map<string, Watermark>();
    for (const { days: asked, watermark } of this.#merging) {
      for (const day of asked) {
        const other = days.get(day);
        if (!other || other.at < watermark.at) days.set(day, watermark);
      }
    }
    const sorted = [...days].sort(([a], [b]) => (a < b ? -1 : 1));
    return { requests: this.#merging, days: sorted.map(([day, watermark]) => ({ day, watermark })) };
  }

  /** The merge that next() gave has ended. */
  done(): void {
    this.#merging = [];
  }
}
