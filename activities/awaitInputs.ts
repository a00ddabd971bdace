import { setTimeout as sleep } from 'node:timers/promises';
import { captureUrl } from '../adapters/captureUrl.ts';
import { CopySessions } from '../adapters/postgresCopySessions.ts';
import { type Pipeline, streamTables } from '../core/definition.ts';
import { messageOf, TidegateError } from '../core/errors.ts';
import type { Lane } from '../core/lanes.ts';
import { formatLsn } from '../core/lsn.ts';
import { findAnyMart, keyedInputs, martInputs } from '../core/martInputs.ts';
import type { AwaitProgress, MergeActivities, Watermark } from '../core/mergeTypes.ts';
import { withHeartbeat } from './copyProgress.ts';
import type { ActivityDeps } from './deps.ts';
import { waitForEvents, waitForWatermark } from './watermark.ts';

const AGAIN_MS = 5000;
/** What a stream that is paused, starting or being mended answers; a merge waits for it, however long that takes. */
const PASSING: readonly string[] = [
  'NOT_STARTED',
  'STREAM_PAUSED',
  'CONNECTOR_FAILED',
  'SLOT_LOST',
  'SERVICE_UNREACHABLE',
];

/** The activity that waits for the inputs of a mart. While it cannot go on, its heartbeat says why. */
export function awaitInputs(deps: ActivityDeps): Pick<MergeActivities, 'awaitInputs'> {
  return {
    async awaitInputs(name, martName): Promise<Watermark> {
      const { pipeline } = deps.definitions.get(name);
      const found = findAnyMart(pipeline, martName);
      const inputs = 'byDays' in found ? martInputs(pipeline, found.byDays) : keyedInputs(pipeline, found.byKeys);
      const waitingFor = inputs.map(({ target }) => target).join(', ');
      const progress: AwaitProgress = { waitingFor, problem: null };
      return await withHeartbeat(
        () => progress,
        async ({ signal }) => {
          for (;;) {
            try {
              return await reach(deps, { pipeline, mart: martName, inputs, signal });
            } catch (error) {
              if (!(error instanceof TidegateError && PASSING.includes(error.code))) throw error;
              progress.problem = messageOf(error);
              await sleep(AGAIN_MS, undefined, { signal });
            }
          }
        },
      );
    },
  };
}

interface Reach {
  pipeline: Pipeline;
  mart: string;
  inputs: readonly Lane[];
  signal: AbortSignal;
}

async function reach(deps: ActivityDeps, { pipeline, mart, inputs, signal }: Reach): Promise<Watermark> {
  // Read before any end is: what is in a topic, or committed, by then is below the ends that are waited for.
  const at = new Date().toISOString();
  const changes = inputs.filter(({ kind }) => kind === 'changes').map(({ label }) => label);
  let lsn: string | null = null;
  if (changes.length > 0) {
    await using sessions = new CopySessions({
      url: captureUrl(deps.environment, pipeline),
      applicationName: `tidegate merge ${pipeline.name} ${mart}`,
      signal,
    });
    const others = streamTables(pipeline).filter(({ label }) => !changes.includes(label));
    const aside = new Set(others.map(({ label }) => label));
    lsn = formatLsn(await waitForWatermark(deps, { pipeline, session: await sessions.open(), signal, aside }));
  }
  const events = inputs.filter(({ kind }) => kind === 'events').map(({ label }) => label);
  await waitForEvents(deps, { pipeline, events, signal });
  return { at, lsn };
}
