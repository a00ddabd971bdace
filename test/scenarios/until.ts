import { setTimeout as delay } from 'node:timers/promises';

const DEADLINE_MS = 120_000;

/**
 * Asks again and again until the answer is wanted, and returns it.
 * @param options.what what is waited for, for the message of the failure.
 * @param options.state told in the failure besides: what stands in the way.
 */
export async function until<T>(
  ask: () => Promise<T> | T,
  wanted: (answer: T) => boolean,
  options: { what: string; deadlineMs?: number; state?: () => Promise<string> | string },
): Promise<T> {
  const { what, deadlineMs = DEADLINE_MS, state = () => '' } = options;
  const deadline = Date.now() + deadlineMs;
  for (;;) {
    const answer = await ask();
    if (wanted(answer)) return answer;
    if (Date.now() > deadline) {
      const shown = JSON.stringify(answer, (_key, value) => (typeof value === 'bigint' ? String(value) : value));
      throw new Error(`${what}: not within ${deadlineMs / 1000} s, but ${shown}\n${await state()}`);
    }
    await delay(100);
  }
}
