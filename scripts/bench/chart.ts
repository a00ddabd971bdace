import { type BenchReport, type Figure, reached, type Side } from './result.ts';
import { formatRatio } from './table.ts';

const WIDTH = 860;
const LABELS = 430;
const ROW = 26;
const TOP = 56;
/** Ratios are drawn on a scale of powers of ten, since some are near 1 and some beyond 50. */
const LOWEST = 0.2;
const HIGHEST = 200;

interface Bar {
  label: string;
  one: Figure;
  peer: Side;
}

/** A bar for each peer: how many times better ours is, beside a line at 1 and a mark at the goal. */
export function chart({ results }: BenchReport): string {
  const bars = results.flatMap(({ figures }) =>
    figures.flatMap((one) => one.peers.map((peer): Bar => ({ label: `${one.what} · ${peer.name}`, one, peer }))),
  );
  const height = TOP + bars.length * ROW + 12;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif" font-size="13">`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    '<text x="16" y="24" font-size="15" fill="#1b2a33">How many times better than each peer (dotted: the goal, orange: missed)</text>',
    ...[0.5, 1, 10, 100].flatMap((ratio) => gridLine(ratio, height)),
    ...bars.flatMap((bar, index) => barLines(bar, TOP + index * ROW)),
    '</svg>',
    '',
  ].join('\n');
}

function x(ratio: number): number {
  const within = Math.min(HIGHEST, Math.max(LOWEST, ratio));
  const share = Math.log(within / LOWEST) / Math.log(HIGHEST / LOWEST);
  return LABELS + share * (WIDTH - LABELS - 60);
}

function gridLine(ratio: number, height: number): string[] {
  const at = x(ratio).toFixed(1);
  const colour = ratio === 1 ? '#5b6b75' : '#dbe2e6';
  return [
    `<line x1="${at}" x2="${at}" y1="${TOP - 8}" y2="${height - 8}" stroke="${colour}"/>`,
    `<text x="${at}" y="${TOP - 13}" fill="#5b6b75" text-anchor="middle">${ratio}</text>`,
  ];
}

function barLines({ label, one, peer }: Bar, top: number): string[] {
  const [from, to] = [x(1), x(peer.ratio!)].sort((a, b) => a - b) as [number, number];
  const missed = reached(one, peer) === false;
  const colour = missed ? '#d98a1f' : peer.ratio! >= 1 ? '#16808c' : '#8fa3ad';
  const middle = top + ROW / 2 + 4;
  const end = Math.max(from, to, peer.goal === undefined ? 0 : x(peer.goal));
  const goal =
    peer.goal === undefined
      ? []
      : [`<path d="M${x(peer.goal).toFixed(1)} ${top + 3}v${ROW - 6}" stroke="#1b2a33" stroke-dasharray="2 2"/>`];
  return [
    `<text x="${LABELS - 10}" y="${middle}" fill="#1b2a33" text-anchor="end">${escaped(label)}</text>`,
    `<rect x="${from.toFixed(1)}" y="${top + 5}" width="${Math.max(1, to - from).toFixed(1)}" height="${ROW - 10}" rx="2" fill="${colour}"/>`,
    ...goal,
    `<text x="${(end + 6).toFixed(1)}" y="${middle}" fill="#1b2a33">${formatRatio(peer.ratio!)}</text>`,
  ];
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
