import { z } from 'zod';
import type { PipelineEvent } from './definitionEvents.ts';
import { formatTableName, parseTableName } from './identifiers.ts';

/**
 * Outboxes: tables of the source whose rows are sent to an event topic, in order, and marked once the brokers have
 * acknowledged them. Rows are only added to them; what has been marked may be deleted.
 */
const column = z.string().min(1);

const fieldSchema = z
  .union([
    column,
    z.strictObject({
      column,
      /** A date or time is sent as a whole number that counts from 1970; parts of it are cut off. */
      epoch: z.enum(['seconds', 'milliseconds']),
    }),
  ])
  .transform((field) => (typeof field === 'string' ? { column: field, epoch: null } : field));

/** PostgreSQL takes 100 arguments for the JSON of a row, two a field. */
const MAX_FIELDS = 50;

export const outboxSchema = z.strictObject({
  /** Name of the event topic that the rows are sent to. */
  event: z.string(),
  /** Column by which rows are told from each other and sent in order, such as a key that counts upwards. */
  id: column,
  /** Column of type boolean: false until the brokers have the row. */
  sent: column,
  /** Column whose value is the message's key: rows of one value keep their order. */
  partitionBy: column,
  /** What is sent: the fields of the JSON object, and the columns they come from. */
  fields: z
    .record(z.string().min(1), fieldSchema)
    .refine((fields) => Object.keys(fields).length <= MAX_FIELDS, `has more than ${MAX_FIELDS} fields`),
  /** Name of the environment variable with the URL of the role that reads and marks; default: the source's captureUrl. */
  url: z
    .string()
    .regex(/^[A-Z][A-Z0-9_]*$/, 'must be the name of an environment variable')
    .optional(),
  /** At most so many rows are sent, acknowledged and marked together. */
  batch: z.int().min(1).max(10_000).default(2000),
  /** Pause after each batch, in milliseconds. */
  pauseMs: z.int().min(0).max(3_600_000).default(0),
});

export interface OutboxField {
  /** Field of the JSON object. */
  name: string;
  column: string;
  epoch: 'seconds' | 'milliseconds' | null;
}

/** An outbox of a pipeline, with every default filled in. */
export interface PipelineOutbox {
  schema: string;
  name: string;
  /** As people write it. */
  label: string;
  /** Label of the event topic. */
  event: string;
  topic: string;
  id: string;
  sent: string;
  partitionBy: string;
  fields: readonly OutboxField[];
  /** Environment variable with the URL of the role that reads and marks. */
  url: string;
  batch: number;
  pauseMs: number;
}

/** Names of the columns that the relay reads, each once. */
export function outboxColumns({ id, sent, partitionBy, fields }: PipelineOutbox): string[] {
  return [...new Set([id, sent, partitionBy, ...fields.map(({ column }) => column)])];
}

/** @param invalid makes the error of a problem that the schema cannot see. */
export function parseOutbox(
  written: string,
  outbox: z.output<typeof outboxSchema>,
  {
    events,
    captureUrl,
    invalid,
  }: {
    events: readonly PipelineEvent[];
    captureUrl: string;
    invalid: (problem: string) => Error;
  },
): PipelineOutbox {
  const refuse = (problem: string) => invalid(`outboxes.${written}${problem}`);
  const table = parseTableName(written);
  if (!table) throw refuse(' is not a table name');
  const event = events.find(({ label }) => label === outbox.event);
  if (!event) throw refuse(`.event: there is no event topic '${outbox.event}'`);
  const fields = Object.entries(outbox.fields).map(([name, field]): OutboxField => ({ name, ...field }));
  const missing = event.columns.find(({ from, optional }) => !optional && !fields.some(({ name }) => name === from));
  if (missing) throw refuse(`.fields: '${missing.from}' is missing, which events.${event.label} needs`);
  const [key] = event.key.map((name) => event.columns.find((each) => each.name === name)!.from);
  const identified = fields.some(({ name, column, epoch }) => name === key && column === outbox.id && epoch === null);
  if (event.key.length > 1 || !identified) {
    throw refuse(
      `.id: the key of events.${event.label} must be the field of '${outbox.id}' alone, so that a row sent twice counts once`,
    );
  }
  const { batch, pauseMs, id, sent, partitionBy } = outbox;
  return {
    ...{
      ...table,
      label: formatTableName(table),
      event: event.label,
      topic: event.topic,
      id,
      sent,
      partitionBy,
      fields,
    },
    ...{ url: outbox.url ?? captureUrl, batch, pauseMs },
  };
}
