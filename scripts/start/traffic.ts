import type { LocalSystem } from './localSystem.ts';

/** Changes the sources as working systems would, until the signal is aborted. */
export async function runTraffic(
  { pipelines, environment, open }: LocalSystem,
  { ratePerSecond, signal }: { ratePerSecond: number; signal: AbortSignal },
): Promise<void> {
  await Promise.all(
    pipelines.map(({ pipeline, generator }) =>
      generator.traffic({ open, url: environment.url(pipeline.source.url), ratePerSecond, signal }),
    ),
  );
}
