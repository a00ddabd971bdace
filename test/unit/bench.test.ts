import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chart } from '../../scripts/bench/chart.ts';
import { type BenchReport, figure, median, percentile, reached } from '../../scripts/bench/result.ts';
import { reportLines } from '../../scripts/bench/table.ts';

const rate = figure({
  ...{ what: 'snapshot', unit: 'rows/s', ours: 500_000 },
  peers: [
    { name: 'slow & old', value: 20_000, goal: 20 },
    { name: 'fast', value: 625_000, goal: 0.9 },
  ],
});
const delay = figure({
  ...{ what: 'freshness, p50', unit: 'ms', ours: 40, goal: 120 },
  peers: [{ name: 'slow', value: 4000 }],
});
const report: BenchReport = {
  ...{ date: '2026-01-02', machine: { processor: 'P', cores: 2, memoryGb: 8 } },
  results: [{ name: 'snapshot', about: 'All.', rows: 1, bytes: null, seconds: 1, figures: [rate, delay] }],
};

test('a ratio above 1 is in our favour, for rates and for times', () => {
  assert.deepEqual(
    rate.peers.map(({ ratio }) => ratio),
    [25, 0.8],
  );
  assert.equal(delay.peers[0]?.ratio, 100);
});

test('a goal is reached, missed or not there', () => {
  assert.deepEqual(
    rate.peers.map((peer) => reached(rate, peer)),
    [true, false],
  );
  assert.deepEqual([reached(delay), reached(delay, delay.peers[0])], [true, null]);
});

test('the table has one line a comparison and marks a goal that was missed', () => {
  const lines = reportLines(report).map((line) => line.replaceAll(/ {2,}/g, ' | '));
  assert.deepEqual(lines.slice(2), [
    'measured | ours | against | theirs | ratio | goal',
    'snapshot | 500,000/s | slow & old | 20,000/s | 25 x | 20 x',
    ' | fast | 625,000/s | 0.80 x | 0.9 x, missed',
    'freshness, p50 | 40 ms | 120 ms',
    ' | slow | 4,000 ms | 100 x',
  ]);
});

test('the chart has a bar for each comparison', () => {
  const svg = chart(report);
  assert.equal(svg.match(/rx="2"/g)?.length, 3);
  assert.match(svg, /slow &amp; old/);
});

test('percentiles are values that were measured', () => {
  const sorted = [1, 2, 3, 4];
  assert.deepEqual([percentile(sorted, 0.5), percentile(sorted, 0.99), median([9, 1, 5])], [3, 4, 5]);
});
