import { z } from 'zod';
import { EVENT_TYPE, isTimeType } from './eventTypes.ts';

/**
 * Event topics: plain JSON objects, one a message, which are only ever added. Each field that a column names lands in it;
 * the others are kept in the target's column `_extra`.
 */
const columnSchema = z.strictObject({
  type: z.string().regex(EVENT_TYPE, 'is not a type that events may have; README lists them'),
  /** Field of the JSON object; default: the column's name. */
  from: z.string().min(1).optional(),
  /** The field is a number that counts from 1970; by default a time is written as ISO 8601, in UTC or with its offset. */
  epoch: z.enum(['seconds', 'milliseconds']).optional(),
  /** A field that is missing or null is NULL; by default such a message is a dead letter. */
  optional: z.literal(true).optional(),
});

export const eventSchema = z.strictObject({
  /** Kafka topic; default: the name. */
  topic: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,249}$/, 'must be 1 to 249 of letters, digits, dot, dash and underscore')
    .optional(),
  /** The topic is created with so many partitions when it is missing; default: 1. */
  partitions: z.int().min(1).max(1000).default(1),
  /** Name of the target table in ClickHouse; default: the name. */
  target: z.string().min(1).max(200).optional(),
  /** Name of the view with each event once; default: `<target>_current`. */
  currentView: z.string().min(1).max(200).optional(),
  columns: z.record(z.string().min(1).max(200), columnSchema),
  /** The columns that tell one event from another: messages with the same values in all of them are one event. */
  key: z.array(z.string()).min(1, 'needs at least one column'),
  /** One partition of the target a month, or a day, of a column. */
  partitionBy: z
    .union([z.strictObject({ month: z.string() }), z.strictObject({ day: z.string() })])
    .transform((by) =>
      'month' in by ? { unit: 'month' as const, column: by.month } : { unit: 'day' as const, column: by.day },
    )
    .optional(),
});

export interface EventColumn {
  name: string;
  /** One of the types of core/eventTypes.ts, as written. */
  type: string;
  /** Field of the JSON object. */
  from: string;
  epoch: 'seconds' | 'milliseconds' | null;
  optional: boolean;
}

/** An event topic of a pipeline, with every default filled in. */
export interface PipelineEvent {
  /** The name in the definition. Used in commands and messages, as a table's label is. */
  label: string;
  topic: string;
  /** How many partitions the topic is created with. */
  partitions: number;
  target: string;
  /** The view without the engine's columns and repeated events. */
  currentView: string;
  columns: readonly EventColumn[];
  key: readonly string[];
  partitionBy: { unit: 'month' | 'day'; column: string } | null;
}

/** @param invalid makes the error of a problem that the schema cannot see. */
export function parseEvent(
  label: string,
  event: z.output<typeof eventSchema>,
  invalid: (problem: string) => Error,
): PipelineEvent {
  const columns = Object.entries(event.columns).map(
    ([name, { type, from, epoch, optional }]): EventColumn => ({
      ...{ name, type, from: from ?? name, epoch: epoch ?? null, optional: optional ?? false },
    }),
  );
  const find = (name: string) => columns.find((column) => column.name === name);
  for (const { name, type, epoch } of columns) {
    if (name.startsWith('_'))
      throw invalid(`events.${label}.columns.${name}: must not begin with _, as the engine's do`);
    if (epoch && !isTimeType(type)) throw invalid(`events.${label}.columns.${name}: ${type} has no epoch`);
  }
  for (const [index, name] of event.key.entries()) {
    const column = find(name);
    if (!column) throw invalid(`events.${label}.key: there is no column '${name}'`);
    if (column.optional) throw invalid(`events.${label}.key: column '${name}' is optional`);
    if (event.key.indexOf(name) !== index) throw invalid(`events.${label}.key: column '${name}' is named twice`);
  }
  const { partitionBy } = event;
  if (partitionBy) {
    const column = find(partitionBy.column);
    if (!column || column.optional || !(isTimeType(column.type) || column.type.startsWith('Date'))) {
      throw invalid(`events.${label}.partitionBy: '${partitionBy.column}' is not a date or time that is always there`);
    }
  }
  const target = event.target ?? label;
  return {
    ...{ label, topic: event.topic ?? label, partitions: event.partitions },
    ...{
      target,
      currentView: event.currentView ?? `${target}_current`,
      columns,
      key: event.key,
      partitionBy: partitionBy ?? null,
    },
  };
}
