/** What the workflows and activities of marts say to each other: names, days and counts. */

/** A point up to which everything has landed. */
export interface Watermark {
  /** What was in a topic, or committed at the source, at this time (ISO 8601) has landed. */
  at: string;
  /** The source's LSN of that time; null when no input is a stream table. */
  lsn: string | null;
}

/** Which days are merged; days are written as `2026-01-31`, in UTC. */
export interface MergeRequest {
  /** These, both included, also when they are merged already. */
  days?: { from: string; to: string };
  /** Of a mart by keys, and then nothing else: merged at once, with what has landed by now, and again when that is asked for. */
  keys?: true;
  /** And all that are not merged or dirty up to this one, included, as far as all their input may have landed. */
  outstandingUpTo?: string;
}

/** What somebody wants of a mart by keys. */
export interface KeysRequest {
  /** All keys are merged, not only those whose input has changed. */
  rebuild: boolean;
}

/** Days of one partition that may be merged from the same moment on. */
export interface MergePart {
  partition: string;
  days: string[];
  /** When all their input may have landed (ISO 8601). */
  readyAt: string;
}

export interface MergePlan {
  /** SHA-256 of the definition that the activity resolved, for the record. */
  definitionHash: string;
  /** True for a mart that is merged by keys; then there are no parts. */
  byKeys: boolean;
  parts: MergePart[];
}

export interface DayToMerge {
  day: string;
  watermark: Watermark;
}

/** Result of mergeDays. */
export interface MergedPart {
  partition: string;
  days: string[];
  /** Rows of the mart on these days. */
  rows: number;
  seconds: number;
}

/** Result of mergeKeys. */
export interface MergedKeys {
  mart: string;
  keys: number;
  /** Rows of the mart that these keys have now. */
  rows: number;
  /** Whether all keys were merged, and why; null when only those whose input had changed were. */
  rebuilt: string | null;
  /** Why nothing was merged; null when it was. */
  waiting: string | null;
  seconds: number;
  /** The marts that read this one, in the order in which they are to be merged. */
  followers: string[];
}

/** Result of mergeMart. */
export interface MergeResult {
  parts: MergedPart[];
  days: number;
  rows: number;
  /** Of a mart by keys: the last merge of it, and of each that follows it. */
  byKeys?: MergedKeys[];
}

/** What mergeMart answers to the query `progress`. */
export interface MartProgress {
  /** How many parts there are, as far as that is known. */
  parts: number;
  merged: MergedPart[];
  /** The partition that is being merged; null while input is waited for. */
  merging: string | null;
}

/** Heartbeat of mergeDays. */
export interface MergeProgress {
  step: 'preparing' | 'keeping other days' | 'selecting' | 'swapping' | 'noting' | 'done';
  partition: string;
  days: number;
  /** Rows that the running statement has read and written. */
  read: number;
  written: number;
}

/** Heartbeat of mergeKeys. */
export interface KeysProgress {
  step: 'finding keys' | 'merging keys' | 'noting' | 'done';
  mart: string;
  /** How many keys are to be merged, as far as that is known, and how many are. */
  keys: number;
  merged: number;
}

/** Heartbeat of awaitInputs. */
export interface AwaitProgress {
  waitingFor: string;
  /** Why it does not come, one sentence; null while nothing is wrong. */
  problem: string | null;
}

/** Activities on the task queue `batch`. */
export interface MergeActivities {
  /** Waits until everything has landed that was there when it began. Heartbeats AwaitProgress. */
  awaitInputs(pipeline: string, mart: string): Promise<Watermark>;
  /** Which days are to be merged, by partition, those that may be merged now first. */
  planMerge(pipeline: string, mart: string, request: MergeRequest): Promise<MergePlan>;
  /**
   * Replaces one partition by one in which these days are computed anew and the others are as they were, then notes what it
   * was computed from. Running it again gives the same. Never two of a partition at once. Heartbeats MergeProgress.
   */
  mergeDays(pipeline: string, mart: string, work: { partition: string; days: DayToMerge[] }): Promise<MergedPart>;
  /**
   * Selects anew the rows of the keys whose input has changed since the last merge, or of all. Running it again changes
   * nothing. Of two at once the one that began later goes on. Heartbeats KeysProgress.
   */
  mergeKeys(pipeline: string, mart: string, options: { rebuild: boolean }): Promise<MergedKeys>;
}
