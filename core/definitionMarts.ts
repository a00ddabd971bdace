import { z } from 'zod';
import type { PartitionUnit } from './days.ts';
import type { PipelineEvent } from './definitionEvents.ts';
import { secondsOf } from './durations.ts';
import { isTimeType } from './eventTypes.ts';

/**
 * Marts: tables derived from targets by one SELECT, merged a period at a time. The SELECT takes its period by the
 * parameters {from:Date} and {to:Date}, the day after the last; days are those of UTC. Every row that it gives belongs to
 * one day of the period, and what it gives for a day does not depend on the other days asked for.
 */
const name = z.string().min(1).max(200);
/** A length of time as definitions write it, like `2h`; in seconds once it is parsed. */
export const duration = z
  .string()
  .regex(/^\d{1,6}[smhd]$/, 'must be a number with s, m, h or d, like 2h')
  .transform(secondsOf);

export const martSchema = z.strictObject({
  /** File with the SELECT, relative to the definition's folder. */
  file: z.string().min(1),
  /** The columns that the mart is ordered by. */
  key: z.array(name).min(1, 'needs at least one column'),
  /** The column of type Date that says which day a row belongs to. */
  period: name,
  /** What is replaced whole when one of its days is merged. */
  partitionBy: z.enum(['day', 'month']).default('month'),
  /** Targets that the SELECT reads and whose stream is waited for: of stream tables and of event topics. */
  inputs: z.array(name).min(1, 'needs at least one target'),
  /** The event topic's target, and its column with the event's time: rows that land after a day was merged make it dirty. */
  late: z.strictObject({ input: name, time: name }),
  /** How long after a day's end it may be merged at the earliest; default: two hours. */
  lateness: duration.default(secondsOf('2h')),
  /** When the day before is merged, in UTC; default: 05:00 every day. */
  schedule: z
    .string()
    .regex(/^(\S+\s+){4}\S+$/, 'must be a cron expression of five fields, in UTC')
    .default('0 5 * * *'),
});

/** A mart with every default filled in. JSON-serialisable. */
export interface PipelineMart {
  name: string;
  file: string;
  key: readonly string[];
  period: string;
  partitionBy: PartitionUnit;
  inputs: readonly string[];
  late: { input: string; time: string };
  latenessSeconds: number;
  schedule: string;
}

/**
 * The second argument: targets of the pipeline's stream tables, and its event topics.
 * @param invalid makes the error of a problem that the schema cannot see.
 */
export function parseMart(
  [martName, mart]: readonly [string, z.output<typeof martSchema>],
  { changes, events }: { changes: readonly string[]; events: readonly PipelineEvent[] },
  invalid: (problem: string) => Error,
): PipelineMart {
  const { lateness, ...rest } = mart;
  const wrong = (problem: string) => invalid(`marts.${martName}.${problem}`);
  for (const input of mart.inputs) {
    if (!changes.includes(input) && !events.some(({ target }) => target === input)) {
      throw wrong(`inputs: '${input}' is the target of no stream table and no event topic`);
    }
  }
  const late = events.find(({ target }) => target === mart.late.input);
  if (!late) throw wrong(`late: '${mart.late.input}' is the target of no event topic`);
  const time = late.columns.find((column) => column.name === mart.late.time);
  if (!time || time.optional || !isTimeType(time.type)) {
    throw wrong(`late: '${mart.late.time}' is not a time that is always there`);
  }
  if (!mart.inputs.includes(mart.late.input)) throw wrong(`late: '${mart.late.input}' is not one of its inputs`);
  if (!mart.key.includes(mart.period)) throw wrong(`key: lacks the period's column '${mart.period}'`);
  return { name: martName, ...rest, latenessSeconds: lateness };
}
