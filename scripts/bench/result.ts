import { cpus, totalmem } from 'node:os';

/** What one side of a benchmark reached. */
export interface Side {
  name: string;
  value: number;
  /** How many times better ours is; above 1 is better, whatever the unit. Absent for ours. */
  ratio?: number;
  /** What the ratio is to reach. */
  goal?: number;
}

/** One quantity, measured side by side in one run. */
export interface Figure {
  /** What is measured: `rows a second`, `commit to visible, p50, at 100 transactions/s`. */
  what: string;
  unit: 'rows/s' | 'rows' | 'ms' | 'MB' | 's' | '%';
  ours: number;
  /** What ours is to reach by itself: at least for rows/s, at most for everything else. */
  goal?: number;
  peers: Side[];
}

export interface BenchResult {
  name: string;
  /** One sentence for a person: what was done. */
  about: string;
  rows: number;
  /** Bytes that passed, where that is known. */
  bytes: number | null;
  figures: Figure[];
  seconds: number;
}

export interface BenchReport {
  machine: { processor: string; cores: number; memoryGb: number };
  date: string;
  results: BenchResult[];
}

/** Builds a figure; ratios are turned so that more is better. */
export function figure(options: {
  what: string;
  unit: Figure['unit'];
  ours: number;
  goal?: number;
  peers?: { name: string; value: number; goal?: number }[];
}): Figure {
  const { what, unit, ours, goal, peers = [] } = options;
  const ratio = (peer: number) => (unit === 'rows/s' ? ours / peer : peer / ours);
  return {
    ...{ what, unit, ours },
    ...(goal !== undefined && { goal }),
    peers: peers.map((peer) => ({ ...peer, ratio: ratio(peer.value) })),
  };
}

/** True when a goal is named and reached; null when none is named. */
export function reached(one: Figure, peer?: Side): boolean | null {
  if (peer) return peer.goal === undefined ? null : peer.ratio! >= peer.goal;
  if (one.goal === undefined) return null;
  return one.unit === 'rows/s' ? one.ours >= one.goal : one.ours <= one.goal;
}

export function machine(): BenchReport['machine'] {
  const all = cpus();
  return {
    processor: all[0]?.model.trim() ?? 'unknown',
    cores: all.length,
    memoryGb: Math.round(totalmem() / 1024 ** 3),
  };
}

/** The value between the others at this share, without interpolation. @param sorted ascending. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  return percentile(
    [...values].sort((a, b) => a - b),
    0.5,
  );
}
