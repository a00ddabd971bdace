/** Says what one service is doing, as a plain line. */
export type Say = (what: string) => void;

export function sayer(name: string, onProgress: (line: string) => void): Say {
  return (what) => onProgress(`${name.padEnd(10)} ${what}`);
}

/**
 * Says what is being done, then again every `everyMs` with the seconds gone, so that a long step never looks dead.
 * `detail` adds what is known at that moment, such as the number of packages built.
 */
export async function withHeartbeat<T>(
  options: { say: Say; doing: string; everyMs?: number; detail?: () => string },
  work: () => Promise<T>,
): Promise<T> {
  const started = performance.now();
  options.say(options.doing);
  const timer = setInterval(() => {
    const seconds = `${Math.round((performance.now() - started) / 1000)} s`;
    const detail = options.detail?.() ?? '';
    options.say(`${options.doing} (${detail === '' ? seconds : `${seconds}, ${detail}`})`);
  }, options.everyMs ?? 5000);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
