import { type Pipeline, streamTables } from './definition.ts';
import type { PipelineMart } from './definitionMarts.ts';
import { TidegateError } from './errors.ts';
import { topicOf } from './names.ts';

/** What a mart reads and waits for. */
export interface MartInput {
  kind: 'changes' | 'events';
  target: string;
  topic: string;
}

/** What marts know of an event topic: its topic, and its target with the columns `_partition` and `_offset`. */
export interface EventTarget {
  topic: string;
  target: string;
}

/** The event topics of a pipeline; none where it declares none. */
export function eventTargets(pipeline: object): readonly EventTarget[] {
  return (pipeline as { events?: readonly EventTarget[] }).events ?? [];
}

/** The inputs of a mart with their topics. */
export function martInputs(pipeline: Pipeline, mart: PipelineMart): MartInput[] {
  const changes = streamTables(pipeline).map((table): MartInput => {
    return { kind: 'changes', target: table.target, topic: topicOf(pipeline, table) };
  });
  const events = eventTargets(pipeline).map(({ target, topic }): MartInput => ({ kind: 'events', target, topic }));
  return [...changes, ...events].filter(({ target }) => mart.inputs.includes(target));
}

/**
 * Finds a mart by what a person typed.
 * @throws TidegateError UNKNOWN_TABLE listing the marts there are.
 */
export function findMart(pipeline: Pipeline, written: string): PipelineMart {
  const found = pipeline.marts.find((mart) => mart.name === written);
  if (found) return found;
  const names = pipeline.marts.map((mart) => mart.name).join(', ');
  throw new TidegateError('UNKNOWN_TABLE', `pipeline '${pipeline.name}' has no mart '${written}'`, {
    remedy: `It has: ${names || 'none'}.`,
  });
}
