import { EventProducer } from '../../adapters/eventProducer.ts';
import type { LocalSystem } from './localSystem.ts';

/** Changes the sources, and sends events, as working systems would, until the signal is aborted. */
export async function runTraffic(
  { pipelines, environment, open }: LocalSystem,
  { ratePerSecond, rows, signal }: { ratePerSecond: number; rows: number | undefined; signal: AbortSignal },
): Promise<void> {
  const events = new EventProducer(environment);
  const size = rows !== undefined && { rows };
  try {
    await Promise.all(
      pipelines.map(({ pipeline, generator }) => {
        const url = environment.url(pipeline.source.url);
        const sending = pipeline.events.length > 0 && { events };
        return generator.traffic({ open, url, ratePerSecond, signal, ...size, ...sending });
      }),
    );
  } finally {
    await events.close();
  }
}
