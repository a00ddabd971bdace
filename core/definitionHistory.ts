import { z } from 'zod';
import { secondsOf } from './durations.ts';

/**
 * A history target keeps one row a change instead of one row a key: what an audit asks for. Operations are written as
 * Debezium does: `c` insert, `u` update, `d` delete, `t` truncate.
 */
export type HistoryOperation = 'c' | 'u' | 'd' | 't';

/** Where the first reading of a topic begins: what it holds, what is to come, or what came in the last so many seconds. */
export type HistoryStart = 'earliest' | 'latest' | { seconds: number };

export interface TableHistory {
  /** What is kept; other changes are read and left out. */
  operations: readonly HistoryOperation[];
  start: HistoryStart;
}

export const historySchema = z.strictObject({
  operations: z.array(z.enum(['c', 'u', 'd', 't'])).min(1),
  /** Counts only while the consumer group has read nothing of the topic yet; a restart goes on where it stopped. */
  start: z
    .union([
      z.enum(['earliest', 'latest']),
      z.string().regex(/^\d{1,9}[smhd]$/, "must be 'earliest', 'latest' or a time back from now, like '20s' or '2h'"),
    ])
    .default('earliest')
    .transform(
      (text): HistoryStart => (text === 'earliest' || text === 'latest' ? text : { seconds: secondsOf(text) }),
    ),
});
