const FIRST_DELAY_MS = 1000;
const LONGEST_DELAY_MS = 60_000;

/** How long to wait before the next try after `failures` failures in a row: 1 s, 2 s, 4 s and so on up to 60 s. */
export function backoffMs(failures: number): number {
  return Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.max(0, failures - 1));
}

/** The same rule as a Temporal retry policy, for activities that Temporal itself tries again. */
export const BACKOFF_POLICY = {
  initialInterval: FIRST_DELAY_MS,
  backoffCoefficient: 2,
  maximumInterval: LONGEST_DELAY_MS,
} as const;
