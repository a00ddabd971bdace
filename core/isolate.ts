import { halve, type MessageBatch, sampleRows } from './streamBuffer.ts';

/** How a batch is tried, and who is told what became of its rows. */
export interface Isolation<Refusal> {
  /** Null when the part has landed, else why it cannot as it is. */
  attempt: (part: MessageBatch) => Promise<Refusal | null>;
  onLanded: (part: MessageBatch) => void;
  /** Is given a row that stands alone and is refused, and its position in the batch. */
  onRefused: (row: MessageBatch, about: { index: number; refusal: Refusal }) => void | Promise<void>;
}

/**
 * Lands a batch and finds the rows that cannot, by halving what is refused. Rows are settled in the batch's order, each
 * exactly once; rows of a refused part that did get through land once more, and the target keeps one of each.
 */
export async function isolate<Refusal>(batch: MessageBatch, isolation: Isolation<Refusal>): Promise<void> {
  let settled = 0;
  const settle = async (part: MessageBatch): Promise<void> => {
    const refusal = await isolation.attempt(part);
    if (refusal !== null && part.rows > 1) {
      for (const half of halve(part)) await settle(half);
      return;
    }
    if (refusal === null) isolation.onLanded(part);
    else await isolation.onRefused(part, { index: settled, refusal });
    settled += part.rows;
  };
  await settle(batch);
}

/** From so many messages on, more than half of them bad means that something else is wrong. */
const FEWEST_TO_JUDGE = 20;

/** True when so many messages are bad that it is hardly their own fault. */
export function mostAreBad(bad: number, all: number): boolean {
  return all >= FEWEST_TO_JUDGE && 2 * bad > all;
}

/** Below so many rows it costs little to find each bad one. */
const WORTH_SAMPLING = 200;
const SAMPLE = 20;

/**
 * Tries rows from all over a refused batch, so that thousands need not be tried one by one before it is clear that most
 * are bad. True when it is all but certain; false for a batch that is small.
 */
export async function sampleIsBad<Refusal>(
  batch: MessageBatch,
  attempt: Isolation<Refusal>['attempt'],
): Promise<boolean> {
  if (batch.rows < WORTH_SAMPLING) return false;
  let landed = 0;
  for (const row of sampleRows(batch, SAMPLE)) {
    if ((await attempt(row)) === null && ++landed > 1) return false;
  }
  return true;
}
