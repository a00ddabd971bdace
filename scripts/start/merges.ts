import { keysLines, mergeLines, runKeysMerge, runMerge } from '../commands/triggerMerge.ts';
import type { LocalSystem } from './localSystem.ts';

/** Merges every mart, by days up to yesterday, so that there is something to see; later merges come by schedule. */
export async function firstMerges({ temporal, pipelines }: LocalSystem, say: (line: string) => void): Promise<void> {
  for (const { pipeline } of pipelines) {
    for (const { name } of pipeline.marts) {
      const result = await runMerge(temporal, { pipeline: pipeline.name, mart: name, request: {}, say });
      for (const line of mergeLines(`${pipeline.name}.${name}`, result)) say(line);
    }
    // Those without an interval follow the others.
    for (const { name } of pipeline.keyedMarts.filter(({ refreshSeconds }) => refreshSeconds !== null)) {
      const about = { pipeline: pipeline.name, mart: name, asked: { rebuild: false }, say };
      for (const line of keysLines(await runKeysMerge(temporal, about))) say(line);
    }
  }
}
