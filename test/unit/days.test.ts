import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dayAfter, daysBetween, isDay, partitionOf, partitionRange, rangesOf } from '../../core/days.ts';

test('days follow each other through months and leap years', () => {
  assert.equal(dayAfter('2028-02-28'), '2028-02-29');
  assert.equal(dayAfter('2026-01-01', -1), '2025-12-31');
  assert.deepEqual(daysBetween({ from: '2026-02-27', to: '2026-03-01' }), ['2026-02-27', '2026-02-28', '2026-03-01']);
  assert.deepEqual(daysBetween({ from: '2026-03-02', to: '2026-03-01' }), []);
});

test('only what the calendar has is a day', () => {
  for (const day of ['2026-02-28', '1970-01-01', '2028-02-29']) assert.ok(isDay(day), day);
  for (const text of ['2026-02-29', '2026-13-01', '1969-12-31', '2026-1-1', '2026-01-01T00:00', '']) {
    assert.ok(!isDay(text), text);
  }
});

test('days become ranges without gaps, whatever their order', () => {
  assert.deepEqual(rangesOf(['2026-01-31', '2026-01-05', '2026-02-01', '2026-01-31']), [
    { from: '2026-01-05', to: '2026-01-06' },
    { from: '2026-01-31', to: '2026-02-02' },
  ]);
});

test('a partition holds the days of its month, or its one day', () => {
  assert.equal(partitionOf('2026-12-31', 'month'), '202612');
  assert.deepEqual(partitionRange('202612'), { from: '2026-12-01', to: '2027-01-01' });
  assert.equal(partitionOf('2026-12-31', 'day'), '20261231');
  assert.deepEqual(partitionRange('20261231'), { from: '2026-12-31', to: '2027-01-01' });
});
