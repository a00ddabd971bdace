import { defineSignal, setHandler } from '@temporalio/workflow';
import type { KeysRequest, MergedKeys, MergeResult } from '../core/mergeTypes.ts';
import { awaitInputs, mergeKeys } from './activities.ts';
import { publish } from './publish.ts';

/** Someone wants a merge that has in it whatever is committed at the source by now; of all keys, if they say so. */
export const mergeKeysSignal = defineSignal<[KeysRequest]>('mergeKeys');

/** What a mart by keys is asked for while its workflow runs: one more merge does for all who have asked. */
export class AskedMerges {
  #asked: KeysRequest | null = null;

  constructor() {
    setHandler(mergeKeysSignal, (more) => this.add(more));
  }

  add({ rebuild }: KeysRequest): void {
    this.#asked = { rebuild: rebuild || (this.#asked?.rebuild ?? false) };
  }

  get waiting(): boolean {
    return this.#asked !== null;
  }

  /** What is asked for; from here on, who asks gets a further merge. */
  take(): KeysRequest | null {
    const asked = this.#asked;
    this.#asked = null;
    return asked;
  }
}

/**
 * Merges a mart by keys, then those that read it: at once with what has landed by now, unless somebody asked, for whom the
 * inputs are waited for.
 */
export async function mergeByKeys(pipeline: string, mart: string, asked: AskedMerges): Promise<MergeResult> {
  const say = (stage: string, details: string) => publish({ pipeline, table: mart, stage, details });
  let merged: MergedKeys[];
  do {
    const request = asked.take();
    if (request) {
      say('waiting', `Waiting until what **${pipeline}.${mart}** reads has landed.`);
      await awaitInputs(pipeline, mart);
    }
    merged = [];
    let names = [mart];
    for (let index = 0; index < names.length; index++) {
      say('merging', `Merging **${pipeline}.${names[index]}** by the keys whose input has changed.`);
      const done = await mergeKeys(pipeline, names[index]!, { rebuild: request?.rebuild ?? false });
      if (index === 0) names = [mart, ...done.followers];
      merged.push(done);
    }
  } while (asked.waiting);
  const [{ keys, rows, waiting }] = merged as [MergedKeys];
  say('merged', waiting === null ? `Merged ${keys} keys, ${rows} rows.` : `Nothing was merged: ${waiting}.`);
  return { parts: [], days: 0, rows, byKeys: merged };
}
