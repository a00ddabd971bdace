import { setTimeout as delay } from 'node:timers/promises';

const DEADLINE_MS = 60_000;

/** Asks again and again until the answer is wanted; fails with the last answer after a minute. */
export async function until<T>(ask: () => Promise<T> | T, wanted: (answer: T) => boolean): Promise<T> {
  const deadline = Date.now() + DEADLINE_MS;
  for (;;) {
    const answer = await ask();
    if (wanted(answer)) return answer;
    if (Date.now() > deadline) throw new Error(`still not as expected: ${JSON.stringify(answer)}`);
    await delay(30);
  }
}
