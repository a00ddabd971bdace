import { z } from 'zod';
import { dayAfter, isDay } from '../core/days.ts';
import type { Report, ReportColumn } from '../pipelines/report.ts';
import { readCursor } from './cursor.ts';

/** Days that may be asked for at once. */
export const LONGEST_PERIOD_DAYS = 366;
const DEFAULT_LIMIT = 100;
const MOST_ROWS = 1000;
/** The last day that ClickHouse's Date has, less the longest period. */
const LAST_DAY = '2148-06-05';

const day = z.iso
  .date({ error: 'must be a day of the calendar, written like 2026-01-31' })
  .refine((text) => isDay(text) && text <= LAST_DAY, { error: `must be between 1970-01-01 and ${LAST_DAY}` });
const days = {
  from: day.describe('First day of the period, in UTC.'),
  to: day.describe('Last day of the period, in UTC.'),
};

/** Wrong in both days together, or nothing. */
function wrongPeriod({ from, to }: { from: string; to: string }): string | undefined {
  // Of what is no day, that has been said already.
  if (!isDay(from) || !isDay(to)) return undefined;
  if (from > to) return "must not be before 'from'";
  if (dayAfter(from, LONGEST_PERIOD_DAYS) <= to) return `must be less than ${LONGEST_PERIOD_DAYS} days after 'from'`;
  return undefined;
}

function checkPeriod(ctx: { value: { from: string; to: string }; issues: unknown[] }): void {
  const message = wrongPeriod(ctx.value);
  if (message !== undefined) ctx.issues.push({ code: 'custom', input: ctx.value, path: ['to'], message });
}

export const periodQuery = z.strictObject(days).check(checkPeriod);

export const reportsQuery = z
  .strictObject({
    ...days,
    format: z.enum(['json', 'csv']).default('json'),
    limit: z.coerce
      .number({ error: 'must be a number' })
      .int()
      .min(1)
      .max(MOST_ROWS)
      .default(DEFAULT_LIMIT)
      .describe('Rows of one page.'),
    cursor: z
      .string()
      .max(100)
      .transform((text, ctx) => {
        const place = readCursor(text);
        if (place) return place;
        ctx.addIssue({ code: 'custom', message: 'is not a cursor that this service gave' });
        return z.NEVER;
      })
      .optional()
      .describe('`nextCursor` of the page before.'),
  })
  .check(checkPeriod);

export const processedAnswer = z
  .strictObject({
    from: z.string(),
    to: z.string(),
    processed: z.boolean().describe('True when all input of every day has landed and been merged.'),
    unprocessedDays: z.array(z.string()).describe('The days that are not, in order.'),
  })
  .describe('Whether a period is processed.');

export const problem = z
  .strictObject({
    type: z.literal('about:blank'),
    title: z.string(),
    status: z.int().min(400).max(599),
    detail: z.string(),
    errors: z.array(z.strictObject({ parameter: z.string(), message: z.string() })).optional(),
    days: z.array(z.string()).optional(),
  })
  .describe('What went wrong (RFC 9457).');

/** A page of the report in JSON. */
export function reportsAnswer(report: Report) {
  const columns = Object.entries(report.columns).map(([name, column]) => [name, columnSchema(column)] as const);
  return z
    .strictObject({
      from: z.string(),
      to: z.string(),
      items: z.array(z.strictObject(Object.fromEntries(columns))),
      nextCursor: z.string().nullable().describe('Given as `cursor`, it gets the next page; null on the last one.'),
    })
    .describe(report.description);
}

function columnSchema({ kind, title, optional }: ReportColumn): z.ZodType {
  const schema = {
    day: () => z.iso.date(),
    time: () => z.iso.datetime(),
    text: () => z.string(),
    whole: () => z.int(),
    number: () => z.number(),
    counts: () => z.record(z.string(), z.int()),
  }[kind]();
  return (optional ? schema.nullable() : schema).describe(title);
}
