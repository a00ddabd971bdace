import { LANDING_SETTINGS } from './ddl.ts';
import { EVENT_SETTINGS } from './ddlEvents.ts';
import { type Pipeline, streamTables } from './definition.ts';
import { type LineForm, SPLICED, WRAPPED } from './envelope.ts';
import { TidegateError } from './errors.ts';
import { parseTableName } from './identifiers.ts';
import { topicOf } from './names.ts';

/** One topic on its way into one target: changes of a stream table, or events. */
export interface Lane {
  kind: 'changes' | 'events';
  /** The table's or the event topic's, as people write it. */
  label: string;
  topic: string;
  target: string;
  /** The view with what readers see; null for a history, whose target is read with FINAL. */
  currentView: string | null;
}

/** Splitting a body for several threads costs a fifth more work than it is worth at the size of a flush. */
const ONE_THREAD = { input_format_parallel_parsing: 0 };

/** How messages of a kind become rows of their landing table. */
export const LANDING: Readonly<Record<Lane['kind'], { form: LineForm; settings: Readonly<Record<string, number>> }>> = {
  changes: { form: SPLICED, settings: { ...LANDING_SETTINGS, ...ONE_THREAD } },
  events: { form: WRAPPED, settings: { ...EVENT_SETTINGS, ...ONE_THREAD } },
};

/** Everything that a pipeline's stream lands: its stream tables, then its event topics. */
export function streamLanes(pipeline: Pipeline): Lane[] {
  return [
    ...streamTables(pipeline).map((table): Lane => {
      const { label, target, currentView } = table;
      return { kind: 'changes', label, topic: topicOf(pipeline, table), target, currentView };
    }),
    ...eventLanes(pipeline),
  ];
}

/** The event topics of a pipeline. */
export function eventLanes({ events }: Pipeline): Lane[] {
  return events.map(({ label, topic, target, currentView }) => ({ kind: 'events', label, topic, target, currentView }));
}

/**
 * Finds what the stream lands by what a person typed.
 * @throws TidegateError UNKNOWN_TABLE listing what there is.
 */
export function findLane(pipeline: Pipeline, written: string): Lane {
  const lanes = streamLanes(pipeline);
  const wanted = parseTableName(written);
  const table = wanted && pipeline.tables.find(({ schema, name }) => schema === wanted.schema && name === wanted.name);
  const found = lanes.find(({ label }) => label === (table?.label ?? written));
  if (found) return found;
  throw new TidegateError('UNKNOWN_TABLE', `pipeline '${pipeline.name}' streams no '${written}'`, {
    remedy: `It streams: ${lanes.map(({ label }) => label).join(', ') || 'nothing'}.`,
  });
}
