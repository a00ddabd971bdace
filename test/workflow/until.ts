import { setTimeout as delay } from 'node:timers/promises';

const DEADLINE_MS = 120_000;

/**
 * Asks again and again until the answer is wanted; fails with the last answer, or why there was none, after two minutes.
 * On a busy machine a query may find no worker in time, which says nothing about the workflow.
 */
export async function until<T>(ask: () => Promise<T> | T, wanted: (answer: T) => boolean): Promise<T> {
  const deadline = Date.now() + DEADLINE_MS;
  for (;;) {
    let last: string;
    try {
      const answer = await ask();
      if (wanted(answer)) return answer;
      last = JSON.stringify(answer);
    } catch (error) {
      last = String(error);
    }
    if (Date.now() > deadline) throw new Error(`still not as expected: ${last}`);
    await delay(100);
  }
}
