import { z } from 'zod';

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

const SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 } as const;

export const historySchema = z.strictObject({
  operations: z.array(z.enum(['c', 'u', 'd', 't'])).min(1),
  /** Counts only while the consumer group has read nothing of the topic yet; a restart goes on where it stopped. */
  start: z
    .union([
      z.enum(['earliest', 'latest']),
      z.string().regex(/^\d{1,9}[smhd]$/, "must be 'earliest', 'latest' or a time back from now, like '20s' or '2h'"),
    ])
    .default('earliest')
    .transform((text): HistoryStart => {
      if (text === 'earliest' || text === 'latest') return text;
      return { seconds: Number(text.slice(0, -1)) * SECONDS[text.at(-1) as keyof typeof SECONDS] };
    }),
});
