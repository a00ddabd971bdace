import { type Column, formatCount, tableLines } from '../output.ts';
import { type BenchReport, type Figure, reached, type Side } from './result.ts';

export const COLUMNS: Column[] = [
  { title: 'measured' },
  { title: 'ours', align: 'right' },
  { title: 'against' },
  { title: 'theirs', align: 'right' },
  { title: 'ratio', align: 'right' },
  { title: 'goal', align: 'right' },
];

/** The table for a terminal: one line a comparison; a goal that was missed is marked. */
export function reportLines({ machine, date, results }: BenchReport): string[] {
  const about = `${date}, ${machine.cores} cores (${machine.processor}), ${machine.memoryGb} GiB`;
  return [
    about,
    '',
    ...tableLines(
      COLUMNS,
      results.flatMap(({ figures }) => figures.flatMap(figureRows)),
    ),
  ];
}

/** Cells of the table's lines for one figure. */
export function figureRows(one: Figure): string[][] {
  const own = [one.what, formatValue(one.ours, one.unit)];
  const alone =
    one.goal === undefined ? [] : [[...own, '', '', '', mark(formatValue(one.goal, one.unit), reached(one))]];
  const sides = one.peers.map((peer) => [
    ...own,
    peer.name,
    formatValue(peer.value, one.unit),
    ...ratioCells(one, peer),
  ]);
  return [...alone, ...sides].map((cells, index) => (index === 0 ? cells : ['', '', ...cells.slice(2)]));
}

function ratioCells(one: Figure, peer: Side): string[] {
  const goal = peer.goal === undefined ? '' : mark(`${peer.goal} x`, reached(one, peer));
  return [`${formatRatio(peer.ratio!)} x`, goal];
}

function mark(goal: string, isReached: boolean | null): string {
  return isReached === false ? `${goal}, missed` : goal;
}

export function formatRatio(ratio: number): string {
  return ratio >= 10 ? ratio.toFixed(0) : ratio.toFixed(2);
}

export function formatValue(value: number, unit: Figure['unit']): string {
  if (unit === 'rows/s') return `${formatCount(value)}/s`;
  if (unit === 's') return `${value.toFixed(2)} s`;
  return `${value < 10 ? value.toFixed(1) : formatCount(value)} ${unit}`;
}
