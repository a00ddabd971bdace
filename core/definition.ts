import { z } from 'zod';
import { anyMartSchema, parseMarts } from './definitionAnyMart.ts';
import { eventSchema, type PipelineEvent, parseEvent } from './definitionEvents.ts';
import { historySchema, type TableHistory } from './definitionHistory.ts';
import type { KeyedMart } from './definitionKeyedMarts.ts';
import type { PipelineMart } from './definitionMarts.ts';
import { sharedName } from './definitionNames.ts';
import { outboxSchema, type PipelineOutbox, parseOutbox } from './definitionOutbox.ts';
import { TidegateError } from './errors.ts';
import { formatTableName, parseTableName } from './identifiers.ts';

/**
 * A pipeline is data: one source database, its tables, marts and schedules. Only `name`, `source` and `tables` are
 * needed; everything else is taken from PostgreSQL's catalog or from the defaults written here.
 */
const variableName = z
  .string()
  .regex(/^[A-Z][A-Z0-9_]*$/, 'must be the name of an environment variable, like WMS_DATABASE_URL');
const slotName = z.string().regex(/^[a-z0-9_]{1,63}$/, 'must be 1 to 63 of a-z, 0-9 and _');
const objectName = z.string().min(1).max(200);
/** Five fields of digits, lists, ranges, steps and names; Temporal checks the values. */
const cron = z.string().regex(/^(\S+\s+){4}\S+$/, 'must be a cron expression of five fields, in UTC');

/** Who moves changes from Kafka into the landing tables. */
export const INGESTS = ['activity', 'kafka-engine'] as const;
export type Ingest = (typeof INGESTS)[number];

const tableSchema = z.strictObject({
  /** `stream`: replicated through CDC. `reference`: loaded whole on a schedule. */
  load: z.enum(['stream', 'reference']).default('stream'),
  /** Name of the target table in ClickHouse; default: the table's name. */
  target: objectName.optional(),
  /** Name of the view with the current rows of a stream table; default: `<target>_current`. */
  currentView: objectName.optional(),
  /**
   * Allows a stream table without any key, under REPLICA IDENTITY FULL: the whole row is its key. Exact as long as no
   * two rows are equal in all columns. Those that are, even for the length of a statement, are one row, which is gone when
   * one of them is deleted or changed.
   */
  duplicates: z.literal('collapse').optional(),
  /**
   * Columns that leave the source by no way: no message, no copy, no dead letter holds them. Not those of a key. A name
   * that the table does not have is refused, so that a misspelt one does not pass.
   */
  exclude: z.array(z.string().min(1)).default([]),
  /** Makes the target of a stream table a history: one row a change, see core/definitionHistory.ts. */
  history: historySchema.optional(),
  /**
   * Columns of text whose values leave the source only as a salted SHA-256, 64 hexadecimal digits; equal values of a
   * pipeline have equal hashes. Not those of a key.
   */
  hash: z.array(z.string().min(1)).default([]),
  /** When a reference table is loaded, in UTC; default: 03:00 every day. */
  schedule: cron.optional(),
});

const viewSchema = z.strictObject({
  name: objectName,
  /** File with one SELECT, relative to the definition's folder. */
  file: z.string().min(1),
});

const pipelineSchema = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9_]{0,40}$/, 'must start with a letter and hold a-z, 0-9 and _ only'),
  /**
   * Names of the environment variables that hold the source's URLs. `url` belongs to an owner and is used to create the
   * publication; `captureUrl` (default: the same) belongs to the least-privileged role that reads and replicates.
   */
  source: z.union([
    variableName.transform((url) => ({ url, captureUrl: url })),
    z.strictObject({ url: variableName, captureUrl: variableName.optional() }).transform(({ url, captureUrl }) => ({
      url,
      captureUrl: captureUrl ?? url,
    })),
  ]),
  /** ClickHouse database of the targets; default: the pipeline's name. */
  database: objectName.optional(),
  /** Names that the stream uses; each has a default derived from the pipeline's name. */
  stream: z
    .strictObject({
      connector: objectName.optional(),
      topicPrefix: z
        .string()
        .regex(/^[A-Za-z0-9._-]+$/)
        .optional(),
      slot: slotName.optional(),
      publication: objectName.optional(),
      consumerGroup: objectName.optional(),
      /** Partitions and replicas of each table's topic. A topic that exists is given more partitions, never fewer. */
      partitions: z.int().min(1).max(1000).default(1),
      replicationFactor: z.int().min(1).max(32).default(1),
      /**
       * Who takes the changes in: the stream activity, or ClickHouse itself by tables of its Kafka engine, `<table>_kafka`
       * and `<table>_mv`, which the activity then watches. The setting `<PIPELINE>_INGEST` of the environment goes before.
       */
      ingest: z.enum(INGESTS).default('activity'),
    })
    .prefault({}),
  /** What becomes of messages that cannot be loaded; default: each is set aside, however many there are. */
  deadLetters: z
    .strictObject({
      /** The stream stops rather than have more than so many outstanding (not replayed); 0: it stops at the first. */
      stopAfter: z.int().min(0).optional(),
    })
    .default({}),
  /** Keyed by `table` or `schema.table`. */
  tables: z.record(z.string(), tableSchema).default({}),
  /** Event topics, by the name that commands and messages know them by. */
  events: z.record(z.string().regex(/^[A-Za-z][A-Za-z0-9_.-]*$/, 'is not a name'), eventSchema).default({}),
  /** Tables whose rows are sent to event topics, by `table` or `schema.table`. */
  outboxes: z.record(z.string(), outboxSchema).default({}),
  /** Views over the targets, created in this order. */
  views: z.array(viewSchema).default([]),
  /** Tables derived from targets, merged a period at a time or by changed keys; by their names in ClickHouse. */
  marts: z.record(objectName, anyMartSchema).default({}),
});

/** What a pipeline file exports: the shape people write. */
export type PipelineInput = z.input<typeof pipelineSchema>;

export interface PipelineTable {
  schema: string;
  name: string;
  /** As people write it: `stock_balances`, `sales.orders`. Used in commands, workflow ids and messages. */
  label: string;
  load: 'stream' | 'reference';
  target: string;
  /** The view that hides versions and deleted rows; stream tables without a history only. */
  currentView: string | null;
  /** `collapse`: without a key, rows that are equal in all columns count as one; stream tables only. */
  duplicates: 'collapse' | null;
  /** Names of the columns that never leave the source. */
  excluded: readonly string[];
  /** What is kept of a stream table whose target is a history. */
  history: TableHistory | null;
  /** Names of the columns whose values leave the source only hashed. */
  hashed: readonly string[];
  /** Cron expression in UTC; reference tables only. */
  schedule: string | null;
}

/** A validated definition, with every default filled in. JSON-serialisable. */
export interface Pipeline {
  name: string;
  source: { url: string; captureUrl: string };
  database: string;
  stream: {
    connector: string;
    topicPrefix: string;
    slot: string;
    publication: string;
    consumerGroup: string;
    /** Of each table's topic. */
    partitions: number;
    replicationFactor: number;
    ingest: Ingest;
  };
  /** How many dead letters may be outstanding before the stream stops; null: any number. */
  deadLetters: { stopAfter: number | null };
  tables: readonly PipelineTable[];
  events: readonly PipelineEvent[];
  outboxes: readonly PipelineOutbox[];
  views: readonly { name: string; file: string }[];
  /** Those that are merged a period at a time. */
  marts: readonly PipelineMart[];
  /** Those that are merged by changed keys; each after its inputs. */
  keyedMarts: readonly KeyedMart[];
}

/** Gives a definition file its types: `export default definePipeline({...})`. */
export function definePipeline(input: PipelineInput): PipelineInput {
  return input;
}

/**
 * Validates what a definition file exports and fills in the defaults.
 * @param origin file name, for the message.
 * @throws TidegateError INVALID_DEFINITION naming every wrong field.
 */
export function parsePipeline(input: unknown, origin: string): Pipeline {
  const invalid = (problems: string) =>
    new TidegateError('INVALID_DEFINITION', `${origin} is not a valid pipeline: ${problems}`, {
      remedy: 'Correct the definition; README describes its fields.',
    });
  const parsed = pipelineSchema.safeParse(input);
  if (!parsed.success) {
    throw invalid(
      parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'definition'}: ${message}`).join('; '),
    );
  }
  const { name, source, database, stream, deadLetters, tables, events, outboxes, views, marts } = parsed.data;
  const pipelineTables = Object.entries(tables).map(([written, table]): PipelineTable => {
    const parsedName = parseTableName(written);
    if (!parsedName) throw invalid(`tables: '${written}' is not a table name`);
    const target = table.target ?? parsedName.name;
    if (table.load === 'stream' && table.schedule) throw invalid(`tables.${written}: a stream table has no schedule`);
    if (table.load === 'reference' && table.currentView)
      throw invalid(`tables.${written}: a reference table has no currentView`);
    if (table.load === 'reference' && table.duplicates)
      throw invalid(`tables.${written}: a reference table keeps duplicates as they are`);
    if (table.duplicates && table.exclude.length + table.hash.length > 0)
      throw invalid(
        `tables.${written}: duplicates: 'collapse' makes the whole row the key, so no column can be excluded or hashed`,
      );
    if (table.load === 'reference' && table.history)
      throw invalid(`tables.${written}: a reference table has no changes to keep a history of`);
    if (table.history && table.currentView)
      throw invalid(`tables.${written}: a history has no currentView; its target holds changes, not rows`);
    const both = table.hash.find((column) => table.exclude.includes(column));
    if (both !== undefined) throw invalid(`tables.${written}: '${both}' is excluded, so there is nothing to hash`);
    return {
      ...parsedName,
      label: formatTableName(parsedName),
      load: table.load,
      target,
      currentView: table.load === 'stream' && !table.history ? (table.currentView ?? `${target}_current`) : null,
      duplicates: table.duplicates ?? null,
      excluded: table.exclude,
      history: table.history ?? null,
      hashed: table.hash,
      schedule: table.load === 'reference' ? (table.schedule ?? '0 3 * * *') : null,
    };
  });
  const pipelineEvents = Object.entries(events).map(([label, event]) => parseEvent(label, event, invalid));
  if (pipelineTables.length + pipelineEvents.length === 0) throw invalid('tables: needs at least one table, or events');
  const labels = [...pipelineTables, ...pipelineEvents].map(({ label }) => label);
  const twice = labels.find((each, index) => labels.indexOf(each) !== index);
  if (twice) throw invalid(`events.${twice}: a table has this name`);
  const pipelineOutboxes = Object.entries(outboxes).map(([written, outbox]) =>
    parseOutbox(written, outbox, { events: pipelineEvents, captureUrl: source.captureUrl, invalid }),
  );
  const fed = pipelineOutboxes.map(({ event }) => event);
  const twiceFed = fed.find((each, index) => fed.indexOf(each) !== index);
  if (twiceFed) throw invalid(`outboxes: two of them are sent to events.${twiceFed}`);
  const names = {
    stream: {
      connector: stream.connector ?? name,
      topicPrefix: stream.topicPrefix ?? name,
      slot: stream.slot ?? `tidegate_${name}`,
      publication: stream.publication ?? `tidegate_${name}`,
      consumerGroup: stream.consumerGroup ?? `tidegate-${name}`,
      partitions: stream.partitions,
      replicationFactor: stream.replicationFactor,
      ingest: stream.ingest,
    },
  };
  const inputs = {
    changes: pipelineTables.filter(({ load }) => load === 'stream').map(({ target }) => target),
    events: pipelineEvents,
  };
  const targets = [
    ...pipelineTables.filter(({ load, history }) => load === 'stream' && history === null),
    ...pipelineEvents,
  ].map(({ target }) => target);
  const pipeline: Pipeline = {
    name,
    source,
    database: database ?? name,
    ...names,
    deadLetters: { stopAfter: deadLetters.stopAfter ?? null },
    tables: pipelineTables,
    events: pipelineEvents,
    outboxes: pipelineOutboxes,
    views,
    ...parseMarts(marts, { changes: inputs.changes, events: pipelineEvents, targets }, invalid),
  };
  const shared = sharedName(pipeline);
  if (shared) throw invalid(shared);
  return pipeline;
}

/** The tables replicated through CDC. */
export function streamTables(pipeline: Pipeline): PipelineTable[] {
  return pipeline.tables.filter((table) => table.load === 'stream');
}

/** The tables loaded whole on a schedule. */
export function referenceTables(pipeline: Pipeline): PipelineTable[] {
  return pipeline.tables.filter((table) => table.load === 'reference');
}

/** A stream table whose target keeps every change. */
export type HistoryTable = PipelineTable & { history: TableHistory };

/** The stream tables whose targets keep every change. */
export function historyTables(pipeline: Pipeline): HistoryTable[] {
  return pipeline.tables.filter((table): table is HistoryTable => table.history !== null);
}

/** The stream tables whose targets follow the source's rows: all without a history. */
export function replicaTables(pipeline: Pipeline): PipelineTable[] {
  return streamTables(pipeline).filter((table) => table.history === null);
}

/**
 * Finds a table by what a person typed.
 * @throws TidegateError UNKNOWN_TABLE listing the tables there are.
 */
export function findTable(pipeline: Pipeline, written: string): PipelineTable {
  const wanted = parseTableName(written);
  const found = wanted && pipeline.tables.find((table) => table.schema === wanted.schema && table.name === wanted.name);
  if (found) return found;
  throw new TidegateError('UNKNOWN_TABLE', `pipeline '${pipeline.name}' has no table '${written}'`, {
    remedy: `It has: ${pipeline.tables.map((table) => table.label).join(', ')}.`,
  });
}

/**
 * Finds a table that can be loaded anew beside its stream.
 * @throws TidegateError UNKNOWN_TABLE when there is none, or it is no replica.
 */
export function findReplica(pipeline: Pipeline, written: string): PipelineTable {
  const table = findTable(pipeline, written);
  if (table.load === 'stream' && table.history === null) return table;
  throw new TidegateError('UNKNOWN_TABLE', `${pipeline.name}.${table.label} is no replica that could be loaded anew`, {
    remedy: table.history
      ? 'It keeps every change, and nothing is ever copied into it.'
      : `It is loaded whole each time: 'npm run trigger -- load ${pipeline.name}.${table.label}'.`,
  });
}
