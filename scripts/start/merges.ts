import { mergeLines, runMerge } from '../commands/triggerMerge.ts';
import type { LocalSystem } from './localSystem.ts';

/** Merges every mart's days up to yesterday, so that there is something to see; later ones come by schedule. */
export async function firstMerges({ temporal, pipelines }: LocalSystem, say: (line: string) => void): Promise<void> {
  for (const { pipeline } of pipelines) {
    for (const { name } of pipeline.marts) {
      const result = await runMerge(temporal, { pipeline: pipeline.name, mart: name, request: {}, say });
      for (const line of mergeLines(`${pipeline.name}.${name}`, result)) say(line);
    }
  }
}
