import { setCurrentDetails, upsertSearchAttributes } from '@temporalio/workflow';
import { searchAttributes } from '../core/searchAttributes.ts';

/** Shows in lists of workflows and in the Web UI where a piece of work stands. `details` is Markdown. */
export function publish(shown: { pipeline: string; table?: string; stage: string; details: string }): void {
  const { details, ...attributes } = shown;
  upsertSearchAttributes(searchAttributes(attributes));
  setCurrentDetails(details);
}
