/** Days are written as `2026-01-31` and are those of UTC. */

const DAY_MS = 86_400_000;

/** How a mart is divided into the parts that are replaced whole. */
export type PartitionUnit = 'day' | 'month';

/** The day of a point in time. */
export function dayOf(time: Date | number): string {
  return new Date(time).toISOString().slice(0, 10);
}

/** When a day begins, epoch milliseconds. */
export function startOf(day: string): number {
  return Date.parse(`${day}T00:00:00Z`);
}

/** @param days how many later; negative: earlier. */
export function dayAfter(day: string, days = 1): string {
  return dayOf(startOf(day) + days * DAY_MS);
}

/** True for a day that the calendar has, from 1970 on, written as days are written here. */
export function isDay(text: string): boolean {
  if (!/^\d{4}-\d\d-\d\d$/.test(text)) return false;
  const time = startOf(text);
  return Number.isFinite(time) && time >= 0 && dayOf(time) === text;
}

/** Why no merge can be about these days, in words; null when one can. @param today as days are written. */
export function refusedRange({ from, to }: { from: string; to: string }, today: string): string | null {
  const wrong = [from, to].find((day) => !isDay(day));
  if (wrong !== undefined) return `'${wrong}' is no day; write it as 2026-01-31, in UTC`;
  if (from > to) return `${from} comes after ${to}`;
  return to > today ? `${to} has not begun yet, in UTC` : null;
}

/** All days from the first to the last, both included. */
export function daysBetween({ from, to }: { from: string; to: string }): string[] {
  const days: string[] = [];
  for (let day = from; day <= to; day = dayAfter(day)) days.push(day);
  return days;
}

/** Days in any order as ranges without gaps, in order; `to` is the day after a range's last. */
export function rangesOf(days: readonly string[]): { from: string; to: string }[] {
  const ranges: { from: string; to: string }[] = [];
  for (const day of [...new Set(days)].sort()) {
    const last = ranges.at(-1);
    if (last?.to === day) last.to = dayAfter(day);
    else ranges.push({ from: day, to: dayAfter(day) });
  }
  return ranges;
}

/** ClickHouse's id of the partition that a day belongs to: `202601`, `20260131`. */
export function partitionOf(day: string, unit: PartitionUnit): string {
  return day.slice(0, unit === 'month' ? 7 : 10).replaceAll('-', '');
}

/** The days of a partition; `to` is the day after its last. */
export function partitionRange(partition: string): { from: string; to: string } {
  const [year, month, day] = [partition.slice(0, 4), partition.slice(4, 6), partition.slice(6, 8)];
  if (day) return { from: `${year}-${month}-${day}`, to: dayAfter(`${year}-${month}-${day}`) };
  return { from: `${year}-${month}-01`, to: dayOf(Date.UTC(Number(year), Number(month), 1)) };
}
