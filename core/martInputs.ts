import type { Pipeline } from './definition.ts';
import type { KeyedMart } from './definitionKeyedMarts.ts';
import type { PipelineMart } from './definitionMarts.ts';
import { TidegateError } from './errors.ts';
import { type Lane, streamLanes } from './lanes.ts';

/** What a mart reads and waits for. */
export function martInputs(pipeline: Pipeline, mart: PipelineMart): Lane[] {
  return streamLanes(pipeline).filter(({ target }) => mart.inputs.includes(target));
}

/** What a mart by keys reads of the stream, also through other marts. */
export function keyedInputs(pipeline: Pipeline, mart: KeyedMart): Lane[] {
  const targets = (each: KeyedMart): string[] =>
    each.inputs.flatMap((input) =>
      input.mart ? targets(pipeline.keyedMarts.find(({ name }) => name === input.target)!) : [input.target],
    );
  const all = targets(mart);
  return streamLanes(pipeline).filter(({ target }) => all.includes(target));
}

/** The marts by keys that read this one, each after those that it reads. */
export function followersOf(pipeline: Pipeline, mart: string): KeyedMart[] {
  const followed = new Set([mart]);
  return pipeline.keyedMarts.filter(({ name, inputs }) => {
    const follows = inputs.some((input) => input.mart && followed.has(input.target));
    if (follows) followed.add(name);
    return follows;
  });
}

/**
 * Finds a mart by what a person typed.
 * @throws TidegateError UNKNOWN_TABLE listing the marts there are.
 */
export function findAnyMart(pipeline: Pipeline, written: string): { byDays: PipelineMart } | { byKeys: KeyedMart } {
  const byDays = pipeline.marts.find((mart) => mart.name === written);
  if (byDays) return { byDays };
  const byKeys = pipeline.keyedMarts.find((mart) => mart.name === written);
  if (byKeys) return { byKeys };
  const names = [...pipeline.marts, ...pipeline.keyedMarts].map((mart) => mart.name).join(', ');
  throw new TidegateError('UNKNOWN_TABLE', `pipeline '${pipeline.name}' has no mart '${written}'`, {
    remedy: `It has: ${names || 'none'}.`,
  });
}

/** @throws TidegateError UNKNOWN_TABLE, also for a mart by keys. */
export function findMart(pipeline: Pipeline, written: string): PipelineMart {
  const found = findAnyMart(pipeline, written);
  if ('byDays' in found) return found.byDays;
  throw new TidegateError('UNKNOWN_TABLE', `${pipeline.name}.${written} is merged by keys, not by days`, {
    remedy: 'Merge it without naming days.',
  });
}

/** @throws TidegateError UNKNOWN_TABLE, also for a mart by days. */
export function findKeyedMart(pipeline: Pipeline, written: string): KeyedMart {
  const found = findAnyMart(pipeline, written);
  if ('byKeys' in found) return found.byKeys;
  throw new TidegateError('UNKNOWN_TABLE', `${pipeline.name}.${written} is merged by days, not by keys`, {
    remedy: 'Merge days of it, or all that need it.',
  });
}
