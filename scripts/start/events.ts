import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EventProducer } from '../../adapters/eventProducer.ts';
import { endOffsets, openKafka } from '../../adapters/kafka.ts';
import type { LocalSystem } from './localSystem.ts';
import { generatedFolder, SEED } from './sources.ts';

/**
 * Sends what happened before today to the event topics, once: a run that finds its own note beside the generated data, and
 * messages in the topics, sends nothing. What a broken run has sent falls onto itself.
 */
export async function sendEvents(
  { stack, environment, pipelines }: Pick<LocalSystem, 'stack' | 'environment' | 'pipelines'>,
  { rows, say, signal }: { rows: number | undefined; say: (line: string) => void; signal: AbortSignal },
): Promise<void> {
  const events = new EventProducer(environment);
  try {
    for (const { pipeline, generator } of pipelines) {
      if (!generator.sendEvents || pipeline.events.length === 0) continue;
      const ends = await endOffsets(
        openKafka(environment),
        pipeline.events.map(({ topic }) => topic),
      );
      const note = join(generatedFolder(stack.home, pipeline.name), 'events-sent');
      if (existsSync(note) && [...ends.values()].some((end) => end > 0n)) continue;
      const tell = (line: string) => say(`${pipeline.name.padEnd(10)} ${line}`);
      const now = Date.now();
      const options = { events, seed: SEED, now, onProgress: tell, signal, ...(rows !== undefined && { rows }) };
      const sent = await generator.sendEvents(options);
      tell(`${sent.toLocaleString('en')} events sent`);
      writeFileSync(note, `${new Date(now).toISOString()}\n`);
    }
  } finally {
    await events.close();
  }
}
