import type { Pipeline } from './definition.ts';
import type { PipelineMart } from './definitionMarts.ts';
import { TidegateError } from './errors.ts';
import { type Lane, streamLanes } from './lanes.ts';

/** What a mart reads and waits for. */
export function martInputs(pipeline: Pipeline, mart: PipelineMart): Lane[] {
  return streamLanes(pipeline).filter(({ target }) => mart.inputs.includes(target));
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
